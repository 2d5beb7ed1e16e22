"""Elements and counters by netlink, against what the ``nft`` program says of them."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.linux.netlink.messages import Refused
from manageout.linux.nft import program as nft
from manageout.linux.nft.sets import Change, NftSets, TableMonitor
from tests.tools.packet_filter import delete_table, replace_table

BODY = """
set names { type ipv6_addr; }
map others { type ipv6_addr : ipv6_addr; }
set sources { type ipv4_addr; size 2; flags dynamic,timeout; timeout 1h; }
counter every { }
chain output {
    type filter hook output priority 0;
    udp dport 9 counter name every
    udp dport 9 update @sources { ip daddr counter }
}
"""
ONE, TWO, THREE = (bytes(15) + bytes([last]) for last in (1, 2, 3))


@pytest.fixture
def sets(namespaces: Callable[[str], str]) -> Iterator[NftSets]:
    with netns.inside(namespaces("mo-test-sets")):
        replace_table(nft.TABLE, BODY)
        made = NftSets("manageout")
        yield made
        made.close()


def test_elements_come_and_go(sets: NftSets) -> None:
    sets.change([Change("names", True, ONE), Change("names", True, TWO), Change("others", True, ONE, TWO)])
    text = nft.table_text(nft.TABLE) or ""
    assert "elements = { ::1,\n\t\t\t     ::2 }" in text
    assert "elements = { ::1 : ::2 }" in text
    sets.change(
        [Change("names", False, ONE), Change("others", False, ONE), Change("others", True, ONE, THREE)]
    )
    text = nft.table_text(nft.TABLE) or ""
    assert "elements = { ::2 }" in text
    assert "elements = { ::1 : ::3 }" in text


def test_many_at_once(sets: NftSets) -> None:
    keys = [number.to_bytes(16, "big") for number in range(12000)]
    sets.change([Change("names", True, key) for key in keys])
    # The kernel may still be enlarging its table, and then leaves some out.
    wait_until("all are listed", lambda: {one.key for one in sets.counted("names")} == set(keys), 20)
    sets.change([Change("names", False, key) for key in keys])
    assert not sets.counted("names")


def test_all_of_it_or_nothing(sets: NftSets) -> None:
    with pytest.raises(Refused) as raised:
        sets.change([Change("names", True, ONE), Change("names", False, TWO)])
    assert raised.value.number == errno.ENOENT
    assert not sets.counted("names")
    sets.change([Change("names", True, ONE)])  # the socket is still in step


def test_without_the_table(sets: NftSets) -> None:
    delete_table(nft.TABLE)
    assert sets.counters() == {}
    with pytest.raises(KernelError):
        sets.counted("names")
    with pytest.raises(KernelError):
        sets.change([Change("names", True, ONE)])


def test_counters_and_sources_in_bounded_number(sets: NftSets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for last in (1, 2, 3, 1):
            sender.sendto(b"x", (f"127.0.0.{last}", 9))
    assert sets.counters() == {"every": (4, 4 * 29)}
    counted = {element.key[-1]: element for element in sets.counted("sources")}
    assert {last: element.packets for last, element in counted.items()} == {1: 2, 2: 1}
    assert all(element.age is not None and element.age < 60 for element in counted.values())


def test_a_monitor_tells_of_what_is_removed_from_our_tables_only(sets: NftSets) -> None:
    monitor = TableMonitor("manageout")

    def told(command: str) -> bool:
        subprocess.run(["nft", command], check=True)
        return monitor.removed()

    sets.change([Change("names", True, ONE)])
    assert not monitor.removed()
    assert not told("add table inet theirs; add chain inet theirs c; add rule inet theirs c accept")
    for removal in ("flush table inet theirs", "delete table inet theirs"):
        assert not told(removal)
    for removal in ("flush table inet manageout", "delete chain inet manageout output", "flush ruleset"):
        assert told(removal)
        assert not monitor.removed()
    monitor.close()
