"""Where this machine's site file and control socket are."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.cli.doctor import live as module
from manageout.cli.doctor.live import ThisMachine, valid_router, wanted
from manageout.errors import ConfigError, ManageoutError
from tests.tools import site_file
from tests.unit.conftest import Serve

SITE = site_file.SITE + site_file.ROUTER


@pytest.fixture(autouse=True)
def no_usual_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFAULT_CONFIG", str(tmp_path / "usual.toml"))


def test_without_a_file_and_a_daemon_there_is_no_site(tmp_path: Path) -> None:
    assert ThisMachine(None, tmp_path, ()).site() == (None, None)


def test_the_file_says_where_the_socket_is_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE + '[daemon]\nruntime_dir = "/nowhere"\n')
    machine = ThisMachine(file, None, ())
    site, plan = machine.site()
    assert site is not None and plan is not None
    assert machine.directory == Path("/nowhere")
    assert ThisMachine(file, tmp_path, ()).directory == tmp_path


def test_the_daemons_own_file_is_found(tmp_path: Path, serve: Serve) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    directory = serve({"status": {"config": {"file": str(file)}}})
    site, _ = ThisMachine(None, directory, ()).site()
    assert site is not None and site.isatap is not None


def test_faults_of_the_file_are_found_not_raised(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE.replace("fd12", "2a00:zz"))
    scope = wanted(ThisMachine(file, None, ()), "", (), None)
    assert scope.site is None and "site.prefix" in scope.faults[0]
    with pytest.raises(ConfigError):
        ThisMachine(file, None, ()).site()


@pytest.mark.parametrize("server", ["x", "10.0.0.0/8", ""])
def test_a_name_server_is_an_address(server: str) -> None:
    with pytest.raises(ManageoutError, match="no address of a name server"):
        ThisMachine(None, None, (server,))


@pytest.mark.parametrize("router", ["a..b", "fd12::1", "."])
def test_a_router_is_a_name_or_an_ipv4_address(router: str) -> None:
    with pytest.raises(ManageoutError, match="neither a name nor"):
        valid_router(router)
    valid_router("10.0.0.1")
    valid_router("")
