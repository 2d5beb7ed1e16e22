"""What the package's scripts do, in a folder of the test: dpkg, systemd and the interpreter are scripts that note."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "packaging" / "debian"
UNITS = [f"manageout{role}.service" for role in ("", "-connect", "-join")]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The version `releases/old` in use, another unpacked, and systemd with every unit running."""
    program = tmp_path / "usr/lib/manageout"
    for folder in ("program/bin", "releases/old/bin"):
        (program / folder).mkdir(parents=True)
    (program / "current").symlink_to("releases/old")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text("#!/bin/sh\n")
    # By what version each was started; one of them never comes up by itself.
    (tmp_path / "bin/deb-systemd-invoke").write_text(
        f'#!/bin/sh\necho "$2 $(readlink {program}/current)" >>{tmp_path}/started\n'
        f'[ "$2" != "$(cat {tmp_path}/broken)" ]\n'
    )
    (tmp_path / "bin/getent").write_text("#!/bin/sh\nexit 2\n")  # this machine's user is left alone
    # The new version refuses files that say so.
    python = program / "program/bin/python"
    python.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/tried\nfor file; do :; done\n! grep -q broken "$file"\n'
    )
    (tmp_path / "etc/manageout").mkdir(parents=True)
    for script in (*(tmp_path / "bin").iterdir(), python):
        script.chmod(0o755)
    (tmp_path / "broken").write_text("")
    return tmp_path


def script(machine: Path, name: str, argument: str) -> subprocess.CompletedProcess[str]:
    text = (SCRIPTS / name).read_text()
    for folder in ("/usr/lib/manageout", "/run/", "/etc/manageout", "/var/lib/"):
        text = text.replace(folder, f"{machine}{folder}")
    path = f"{machine}/bin:{os.environ['PATH']}"
    argv = ["sh", "-c", text, name, argument]
    return subprocess.run(argv, env={"PATH": path}, capture_output=True, text=True, check=False)


def started(machine: Path) -> dict[str, str]:
    """Unit -> the version by which it was started last."""
    return dict(line.split() for line in (machine / "started").read_text().splitlines())


def test_the_new_version_is_put_into_use(machine: Path) -> None:
    result = script(machine, "manageout.postinst", "configure")
    assert result.returncode == 0, result.stderr
    used = os.readlink(machine / "usr/lib/manageout/current")
    assert used != "releases/old" and started(machine) == dict.fromkeys(UNITS, used)
    assert [f"releases/{each.name}" for each in (machine / "usr/lib/manageout/releases").iterdir()] == [used]


@pytest.mark.parametrize("broken", UNITS)
def test_when_one_does_not_start_none_keeps_the_new_version(machine: Path, broken: str) -> None:
    (machine / "broken").write_text(broken)
    result = script(machine, "manageout.postinst", "configure")
    assert result.returncode == 1 and "did not start again" in result.stderr
    assert os.readlink(machine / "usr/lib/manageout/current") == "releases/old"
    assert started(machine) == dict.fromkeys(UNITS, "releases/old")


def test_what_an_installation_that_was_cut_off_has_left_is_in_nobodys_way(machine: Path) -> None:
    (machine / "usr/lib/manageout/.current").symlink_to("releases/old")
    assert script(machine, "manageout.postinst", "configure").returncode == 0
    used = machine / "usr/lib/manageout/current"
    assert os.readlink(used) != "releases/old" and used.is_dir()


@pytest.mark.parametrize("argument", ["remove", "purge"])
def test_nothing_of_the_clients_stays_in_run(machine: Path, argument: str) -> None:
    for role in ("connect", "join"):
        (machine / f"run/manageout-{role}").mkdir()
    assert script(machine, "manageout-client.postrm", argument).returncode == 0
    assert [each.name for each in (machine / "run").iterdir()] == ["systemd"]


CONFIGURED = {
    "site.toml": "[site]\n",
    "connect.toml": 'url = "https://g.corp.example/IPHTTPS"\n',
    "join.toml": '  name= "10.0.0.1"\n',
}


@pytest.mark.parametrize("broken", CONFIGURED)
def test_the_new_version_tries_each_file_before_it_is_used(machine: Path, broken: str) -> None:
    for name, text in CONFIGURED.items():
        (machine / "etc/manageout" / name).write_text(text + ("broken\n" if name == broken else ""))
    result = script(machine, "manageout.postinst", "configure")
    assert result.returncode == 1 and f"refuses {machine}/etc/manageout/{broken}" in result.stderr
    assert os.readlink(machine / "usr/lib/manageout/current") == "releases/old"
    assert not (machine / "started").exists()


def test_as_they_are_delivered_they_are_not_tried(machine: Path) -> None:
    for role in ("connect", "join"):
        text = (SCRIPTS.parent / f"etc/{role}.toml").read_text()
        (machine / f"etc/manageout/{role}.toml").write_text(f"# broken\n{text}")
    assert script(machine, "manageout.postinst", "configure").returncode == 0
    assert not (machine / "tried").exists()


def test_each_is_tried_by_what_reads_nothing_else(machine: Path) -> None:
    for name, text in CONFIGURED.items():
        (machine / "etc/manageout" / name).write_text(text)
    assert script(machine, "manageout.postinst", "configure").returncode == 0
    tried = (machine / "tried").read_text().replace(f"{machine}/etc/manageout/", "").splitlines()
    module = "-I -m manageout"
    assert tried == [
        f"{module} plan --config site.toml",
        f"{module} connect --dry-run --config connect.toml",
        f"{module} join --dry-run --config join.toml",
    ]


def test_purge_of_the_gateway_leaves_the_clients_configuration(machine: Path) -> None:
    etc = machine / "etc/manageout"
    for name in ("site.toml", "site.toml.example", "connect.toml", "laptop.key"):
        (etc / name).write_text("")
    result = script(machine, "manageout.postrm", "purge")
    assert result.returncode == 0 and "purge manageout-client, too" in result.stdout
    assert {each.name for each in etc.iterdir()} == {"connect.toml", "laptop.key"}


@pytest.mark.parametrize("first", ["manageout", "manageout-client"])
def test_the_last_purge_leaves_nothing(machine: Path, first: str) -> None:
    etc, known = machine / "etc/manageout", machine / "var/lib/dpkg/info"
    known.mkdir(parents=True)
    for path in (etc / "site.toml", etc / "connect.toml", etc / "laptop.key", known / "manageout.postrm"):
        path.write_text("")
    for package in sorted(("manageout", "manageout-client"), key=lambda name: name != first):
        if package == "manageout-client":
            (etc / "connect.toml").unlink()  # dpkg itself, before
        assert script(machine, f"{package}.postrm", "purge").returncode == 0
        (known / f"{package}.postrm").unlink(missing_ok=True)
    assert not etc.exists()
