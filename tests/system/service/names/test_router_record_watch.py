"""The ISATAP router's name is looked at again, with a real BIND: published, scavenged, changed, withdrawn and back."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from pathlib import Path

import dns.update
import pytest

from manageout.directory.dns.update import exchange
from manageout.directory.dns.zones import Place, Server
from manageout.service.names import router_record_watch
from manageout.service.names.router_dns import addresses_of, record_of
from manageout.service.names.router_record_watch import RouterRecordWatch
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.system.cli.rollout.test_dns import NAME, SITE
from tests.tools.places.bind import ADDRESS, PORT, ZONE, bind
from tests.tools.waiting import until

pytestmark = pytest.mark.system


def remove(kind: str | None = None, text: str | None = None) -> None:
    update = dns.update.UpdateMessage(ZONE)
    update.delete("manageout-isatap", *(part for part in (kind, text) if part))
    exchange(update, Place(ZONE, Server(ADDRESS, PORT), ""))


def test_a_name_that_was_published_and_is_lost_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_record_watch, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(router_record_watch, "RETRY", 0.1)
    site = parse(SITE)
    record, wanted = record_of(site, NAME), addresses_of(site)

    def what(role: RouterRecordWatch) -> str:
        return " ".join(f"{finding.code} {finding.what}" for finding in role.findings())

    async def main() -> None:
        role = RouterRecordWatch(site, plan(site))
        task = asyncio.create_task(role.run())  # noqa: TID251 - ended below
        await role.ready.wait()
        await asyncio.sleep(0.3)
        assert what(role) == ""  # nobody has published it yet
        await asyncio.to_thread(record.publish, wanted)
        await until(lambda: role.status() == {"published_by_us": True})
        await asyncio.to_thread(remove, "A", "10.0.0.2")
        await until(lambda: "lacks 10.0.0.2" in what(role))
        await asyncio.to_thread(remove)
        await until(lambda: "is not in the DNS any more" in what(role))
        assert what(role).startswith("ROUTER-NAME-LOST")
        await asyncio.to_thread(record.publish, wanted)
        await until(lambda: what(role) == "")
        role.reload(parse(SITE.replace("manageout-isatap", "other-isatap")), plan(site))
        await until(lambda: role.status() == {"published_by_us": False})
        assert what(role) == ""
        task.cancel()
        await asyncio.wait([task])

    with bind(tmp_path / "named"):
        asyncio.run(main())
    assert IPv4Address("10.0.0.2") in wanted
