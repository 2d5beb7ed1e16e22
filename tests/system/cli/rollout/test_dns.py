"""``manageout rollout dns`` against a real BIND, and one that follows it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.update
import pytest
from click.testing import Result

from manageout.cli.rollout.rollout import rollout
from manageout.directory.dns.update import exchange
from manageout.directory.dns.zones import Place, Server
from manageout.errors import ConfigError, ManageoutError
from manageout.lab.bind import no_files
from manageout.lab.process import wait_until
from tests.tools import commands
from tests.tools.places.bind import ADDRESS, KEY, PORT, SECRET, ZONE, answers, bind

pytestmark = pytest.mark.system
NAME = f"manageout-isatap.{ZONE}"
SECOND = "127.0.0.2"
TWO_SERVERS = f"{ZONE}. NS ns2.{ZONE}.\nns2 A {SECOND}\n"
MARK = '"manageout router fd12:3456:789a::/48'
SITE = f"""
[site]
prefix = "fd12:3456:789a::/48"
domain = "{ZONE}"
[isatap]
name = "{NAME}"
locators = ["10.0.0.1"]
routers = ["10.0.0.2"]
[names]
servers = ["{ADDRESS}:{PORT}"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


@contextmanager
def follower(directory: Path) -> Iterator[None]:
    """A secondary server of the zone, at the second address; it looks for changes each second."""
    directory.mkdir()
    (directory / "named.conf").write_text(
        f'options {{ directory "{directory}"; {no_files()}'
        f" listen-on port {PORT} {{ {SECOND}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; }};"
        f'controls {{ }}; zone "{ZONE}" {{ type secondary; file "copy"; masterfile-format text;'
        f" primaries port {PORT} {{ {ADDRESS}; }}; min-refresh-time 1; max-refresh-time 1; }};\n"
    )
    subprocess.run(["ip", "addr", "add", f"{SECOND}/32", "dev", "lo"], check=True)  # BIND takes no less
    binary = directory / "named"
    shutil.copy(str(shutil.which("named")), binary)  # AppArmor confines the usual path
    process = subprocess.Popen(
        [binary, "-g", "-4", "-n", "1", "-c", directory / "named.conf"], stderr=subprocess.DEVNULL
    )
    try:
        wait_until("the secondary has the zone", _follows, 20)
        yield
    finally:
        process.kill()
        process.wait()
        subprocess.run(["ip", "addr", "del", f"{SECOND}/32", "dev", "lo"], check=True)


def _follows() -> bool:
    try:
        return bool(dns.query.tcp(dns.message.make_query(ZONE, "SOA"), SECOND, 1, PORT).answer)
    except (OSError, EOFError, dns.exception.DNSException):
        return False


def run(file: Path, *arguments: str) -> Result:
    done = commands.run(rollout, "dns", "-c", str(file), "--wait", "0", *arguments, code=None)
    assert done.exit_code in (0, 1)
    return done


def by_hand(kind: str, text: str, name: str = NAME) -> None:
    update = dns.update.UpdateMessage(ZONE)
    update.add(name.removesuffix(f".{ZONE}"), 60, kind, text)
    exchange(update, Place(ZONE, Server(ADDRESS, PORT), ""))


def everything() -> list[list[str]]:
    return [answers(NAME, kind) for kind in ("A", "TXT")]


def test_there_and_back(tmp_path: Path, file: Path) -> None:
    with bind(tmp_path / "named"):
        done = run(file)
        assert done.exit_code == 0 and f"{NAME}: A 10.0.0.1, 10.0.0.2\n" in done.stdout
        assert f"ns.{ZONE} ({ADDRESS}): 10.0.0.1, 10.0.0.2, as it should be" in done.stdout
        assert everything() == [["10.0.0.1", "10.0.0.2"], [f'{MARK} 10.0.0.1 10.0.0.2"']]
        assert "(as before)" in run(file).stdout
        assert "removed A 10.0.0.1, 10.0.0.2" in run(file, "--undo").stdout
        assert everything() == [[], []]
        assert "nothing of ours is there" in run(file, "--undo").stdout


def test_routers_that_change(tmp_path: Path, file: Path) -> None:
    with bind(tmp_path / "named"):
        run(file)
        file.write_text(SITE.replace('routers = ["10.0.0.2"]', 'routers = ["10.0.0.3"]'))
        assert run(file, "--check").exit_code == 1
        assert run(file).exit_code == 0
        assert everything() == [["10.0.0.1", "10.0.0.3"], [f'{MARK} 10.0.0.1 10.0.0.3"']]
        file.write_text(SITE)  # the inverse goes by what stands there, not by the file
        run(file, "--undo")
        assert everything() == [[], []]


def test_every_server_of_the_zone_is_asked(tmp_path: Path, file: Path) -> None:
    with bind(tmp_path / "named", records=TWO_SERVERS):
        done = run(file)
        assert done.exit_code == 1 and f"ns2.{ZONE} ({SECOND}): does not answer" in done.stdout
        with follower(tmp_path / "second"):
            done = run(file, "--wait", "20", "--json")
            servers = json.loads(done.stdout)["servers"]
            assert [server["address"] for server in servers] == [ADDRESS, SECOND]
            assert all(server["addresses"] == ["10.0.0.1", "10.0.0.2"] for server in servers)
            assert done.exit_code == 0
            assert run(file, "--undo", "--wait", "20").exit_code == 0
            assert not dns.query.tcp(dns.message.make_query(NAME, "A"), SECOND, 5, PORT).answer


@pytest.mark.parametrize(("kind", "text"), [("A", "10.0.0.77"), ("TXT", '"a note"'), ("CNAME", "dc")])
def test_a_name_of_somebody_else_is_left_alone(tmp_path: Path, file: Path, kind: str, text: str) -> None:
    with bind(tmp_path / "named", records=f"manageout-isatap {kind} {text}\n"):
        before = [answers(NAME, one) for one in ("A", "TXT", "CNAME")]
        with pytest.raises(ManageoutError, match=r"not ours.*NAME-TAKEN"):
            run(file)
        run(file, "--undo")
        assert [answers(NAME, one) for one in ("A", "TXT", "CNAME")] == before


def test_another_site_and_a_client_of_ours_are_somebody_else(tmp_path: Path, file: Path) -> None:
    for mark in ('"manageout router fd99::/48 10.0.0.1"', '"manageout fd12:3456:789a::/48"'):
        with bind(tmp_path / "named", records=f"manageout-isatap TXT {mark}\nmanageout-isatap A 10.0.0.1\n"):
            with pytest.raises(ManageoutError, match="NAME-TAKEN"):
                run(file)
            run(file, "--undo")
            assert everything() == [["10.0.0.1"], [mark]]


def test_what_others_add_to_our_name_is_shown_and_stays(tmp_path: Path, file: Path) -> None:
    with bind(tmp_path / "named"):
        run(file)
        by_hand("A", "10.0.0.77")
        by_hand("TXT", '"a note"')
        done = run(file)
        assert done.exit_code == 1 and "has also 10.0.0.77, which is not ours" in done.stdout
        done = run(file, "--undo")
        assert done.exit_code == 0 and "10.0.0.77 stays, it is not ours" in done.stdout
        assert everything() == [["10.0.0.77"], ['"a note"']]


def test_signed_updates(tmp_path: Path, file: Path) -> None:
    key = tmp_path / "manageout.key"
    key.write_text(KEY)
    with bind(tmp_path / "named", 'key "manageout"'):
        with pytest.raises(ManageoutError, match="DNS-REFUSED"):
            run(file)
        file.write_text(f'{SITE}authentication = "tsig"\nkey_file = "{key}"\n')
        assert run(file).exit_code == 0 and run(file, "--undo").exit_code == 0
        key.write_text(KEY.replace(SECRET, SECRET[::-1]))
        with pytest.raises(ManageoutError, match="DNS-BAD-SIGNATURE"):
            run(file)
        assert everything() == [[], []]


def test_the_bare_name_only_by_force(tmp_path: Path, file: Path) -> None:
    with bind(tmp_path / "named"):
        for name in ("isatap", f"isatap.{ZONE}"):
            with pytest.raises(ManageoutError, match="every Windows machine"):
                run(file, "--router", name)
        done = run(file, "--router", "isatap", "--force")
        assert "GlobalQueryBlockList" in done.stderr
        assert answers(f"isatap.{ZONE}", "A") == ["10.0.0.1", "10.0.0.2"]
        run(file, "--router", "isatap", "--undo")
        assert answers(f"isatap.{ZONE}", "A") == []


def test_nobody_there_and_nothing_to_go_by(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ManageoutError):
        run(file)
    file.write_text(SITE.partition("[names]")[0])
    with pytest.raises(ConfigError) as caught:
        run(file)
    assert caught.value.faults[0].path == "names"
    with bind(tmp_path / "named"):
        file.write_text(SITE.replace(NAME, "manageout-isatap.elsewhere.example"))
        with pytest.raises(ManageoutError, match="DNS-NO-ZONE"):
            run(file)
