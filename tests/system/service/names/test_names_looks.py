"""What we wrote into the DNS is looked at again, with a real BIND: removed by others, forgotten, from before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dns.update
import pytest

from manageout.directory.dns.update import exchange
from manageout.directory.dns.zones import Place, Server
from manageout.protocol.names import registrar as machine
from manageout.site.tables.site import parse
from tests.system.service.names.test_names import (
    CLIENT,
    NAME,
    SITE,
    killed,
    running,
    service,
    until,
    watching,
)
from tests.tools.places.bind import ADDRESS, PORT, ZONE, answers, bind
from tests.tools.programs.dns_between import between, forgotten

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour is short here."""
    monkeypatch.setattr(machine, "LOOK_SOON", 0.1)
    monkeypatch.setattr(machine, "LOOK_AGAIN", 0.5)


def somebody(kind: str = "", text: str = "") -> None:
    """Removes everything at the name, and puts that there."""
    update = dns.update.UpdateMessage(ZONE)
    update.delete("laptop")
    if kind:
        update.add("laptop", 60, kind, text)
    exchange(update, Place(ZONE, Server(ADDRESS, PORT), ""))


def test_what_a_clean_up_removes_is_registered_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 3)
            await asyncio.to_thread(somebody)
            await until(lambda: answers(NAME, "A") == ["10.0.0.130"])
            await until(lambda: role.status()["registered"] == 3)
            assert role.findings() == [] and answers(NAME, "AAAA") == ["fd12:3456:789a:1000::10"]
            counts = {metric.name: list(metric.labelled()) for metric in role.metrics()}
            assert ({"outcome": "restored"}, 1.0) in counts["names_updates"]

    with bind(tmp_path / "named"):
        asyncio.run(main())
    assert f"{NAME} was not there any more" in caplog.text


def test_a_server_that_says_yes_and_forgets_is_a_finding(tmp_path: Path) -> None:
    async def main(server: str) -> None:
        async with running(service(tmp_path / "state", "reverse = false\n", server)) as role:
            role.connected.present(CLIENT)
            await until(role.findings)
            (finding,) = role.findings()
            assert (finding.code, finding.severity) == ("DNS-FORGETS", "error")
            assert NAME in finding.what and "scavenging" in finding.remedy
            assert role.status()["registered"] == 0

    with bind(tmp_path / "named"), between(forgotten) as server:
        asyncio.run(main(server))


def test_what_somebody_else_has_put_there_meanwhile_stays(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(service(tmp_path / "state", "reverse = false\n")) as role:
            role.connected.present(CLIENT)
            await until(lambda: role.status()["registered"] == 1)
            await asyncio.to_thread(somebody, "A", "10.0.0.77")
            await until(role.findings)
            assert [finding.code for finding in role.findings()] == ["NAME-TAKEN"]
            assert answers(NAME, "A") == ["10.0.0.77"]

    with bind(tmp_path / "named"):
        asyncio.run(main())


@pytest.mark.parametrize("keep", ["disconnect", "grace"])
def test_a_restart_looks_at_what_it_holds_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    """The zone was restored, or cleaned up, while nobody ran."""
    monkeypatch.setattr(machine, "LOOK_AGAIN", 3600.0)

    async def after() -> None:
        async with running(service(tmp_path / "state", f'keep = "{keep}"\n')) as role:
            if keep == "disconnect":
                role.connected.present(CLIENT)
            await until(lambda: answers(NAME, "A") == ["10.0.0.130"])
            await until(lambda: answers(NAME, "AAAA") == ["fd12:3456:789a:1000::10"])
            assert role.findings() == []

    with bind(tmp_path / "named"):
        killed(tmp_path / "state", f'keep = "{keep}"\n')
        somebody()
        asyncio.run(after())


def test_a_client_at_two_gateways_is_where_it_came_last(tmp_path: Path) -> None:
    second = CLIENT._replace(address=bytes.fromhex("fd123456789a10010000000000000066"), lease=None)

    async def main() -> None:
        one = service(tmp_path / "one", "reverse = false\n")
        site = parse(SITE.replace("[gateway]", "[gateway]\nnode = 1") + "reverse = false\n")
        two = watching(site, tmp_path / "two")
        async with running(one), running(two):
            one.connected.present(CLIENT)
            await until(lambda: one.status()["registered"] == 1)
            two.connected.present(second)
            await until(one.findings)
            assert [finding.code for finding in one.findings()] == ["NAME-TWICE"]
            assert answers(NAME, "AAAA") == ["fd12:3456:789a:1001::66"] and two.findings() == []

    with bind(tmp_path / "named"):
        asyncio.run(main())
