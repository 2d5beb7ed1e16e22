"""For which leases ARP is answered, when rules give one client's address to another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.service.leases.keeper import LeaseKeeper
from manageout.service.process.presence import Presence
from manageout.service.translate.translator import TranslatorService
from manageout.site.plan import XLAT_DEVICE, plan
from manageout.site.tables.site import parse
from tests.tools.waiting import until

NAME = "mo-test-lease-arp"
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
listen = ["10.0.0.1:443"]
certificate = "/c"
key = "/k"
client_ca = "/ca"
allow = ["*"]
[translation]
pool = "10.0.0.128/26"
"""
CLIENTS = "tablet.corp.example", "laptop.corp.example"


def test_an_address_that_moves_from_one_client_to_another_is_answered_for(
    namespaces: Callable[[str], str], tmp_path: Path
) -> None:
    namespaces(NAME)
    for line in (
        "link add e0 type veth peer name e1",
        "link set e0 up",
        "link set e1 up",
        "addr add 10.0.0.1/24 dev e0",
    ):
        netns.run(NAME, ["ip", *line.split()])

    async def story(tun: Tun, netlink: Netlink) -> None:
        site = parse(SITE)
        translator = TranslatorService(site, plan(site), tun, netlink)
        connected = Presence(translator)
        keeper = LeaseKeeper(site, plan(site), netlink, tmp_path, connected)

        def leases() -> list[bytes | None]:
            return [client.lease for name in CLIENTS if (client := connected.get(name)) is not None]

        async with asyncio.TaskGroup() as group:
            task = group.create_task(keeper.run())
            await keeper.ready.wait()
            for number, identity in enumerate(CLIENTS):
                keeper.opened(number, identity, "198.51.100.7:5000")
                keeper.bound(number, plan(site).client_prefix[number + 2].packed)
            await until(lambda: len(connected) == 2)
            assert translator.status()["arp"] == "e0, 2 addresses"
            assert leases() == [bytes((10, 0, 0, 129)), bytes((10, 0, 0, 130))]
            moved = parse(f'{SITE}fixed = {{ "{CLIENTS[0]}" = "10.0.0.130" }}\n')
            keeper.reload(moved, plan(moved))
            await until(lambda: not keeper.busy)
            assert leases() == [bytes((10, 0, 0, 130)), bytes((10, 0, 0, 131))]
            assert translator.status()["arp"] == "e0, 2 addresses"
            task.cancel()

    with netns.inside(NAME), Netlink() as netlink, Tun.open(XLAT_DEVICE, 1500) as tun:
        asyncio.run(story(tun, netlink))
