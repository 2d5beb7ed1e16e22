"""The demo's steps of manage-out by ISATAP: what a manager can do, what others cannot, and what is counted."""

import contextlib
import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from manageout.errors import LabError
from manageout.lab import inject, network, process, servers, site
from manageout.lab.run import DROP_SECONDS, Run, dropped, expect, fast_path, fetch, forbidden
from manageout.lab.topology import HELPDESK, ISATAP_NAME, ISATAP_PREFIX, KIOSK
from manageout.protocol.core.drops import Drop
from manageout.service.process.rows import ClientRow, HostRow, Traffic
from manageout.site.plan import isatap_address
from manageout.wire import icmpv6, ipv6, numbers

FORGED = 10
COUNTED = 20
COUNTED_BYTES = 1000
COUNTER_SECONDS = 2.0
ECHO_REQUEST = 128
Counters = tuple[int, int, int, int]
"""Packets and bytes from it, packets and bytes to it."""
CLOSED_PORT = 3389
"""Remote desktop, which no table of the lab's site file allows."""


def join(run: Run) -> str:
    """helpdesk becomes an ISATAP host."""
    site.join("helpdesk", fast_path=run.fast_path)
    return f"{site.host_address('helpdesk')} from {ISATAP_NAME}"


def on_fast_path(run: Run) -> str:
    return fast_path(run, run.topology.router, "isatap", "eBPF on the ISATAP link")


def ping(run: Run) -> str:
    result = network.run("helpdesk", ["ping", "-n", "-c", "5", "-i", "0.2", "-W", "10", str(run.laptop)])
    lines = result.stdout.strip().splitlines()
    expect(", 5 received" in result.stdout, f"packets were lost: {lines[-2]}")
    return f"5 of 5 answered, {lines[-1].removeprefix('rtt ')}"


def fetch_file(run: Run) -> str:
    return fetch("helpdesk", f"[{run.laptop}]")


def ssh(run: Run) -> str:
    result = network.run("helpdesk", servers.ssh_command(str(run.laptop), "cat /run/node; echo $SSH_CLIENT"))
    node, client = result.stdout.splitlines()
    right = node == "laptop" and client.split()[0] == str(site.host_address("helpdesk"))
    expect(right, f"the command answered {node!r}, and saw {client!r}")
    return f"it ran on {node} and saw us as {client.split()[0]}"


def kiosk(run: Run) -> str:
    router = run.topology.router
    before = dropped(router, Drop.HOST_NOT_ALLOWED, KIOSK)
    joining = site.start_join("kiosk", fast_path=run.fast_path)
    try:
        count = process.wait_until(
            "kiosk is refused",
            lambda: dropped(router, Drop.HOST_NOT_ALLOWED, KIOSK) - before,
            DROP_SECONDS,
            [joining],
        )
    finally:
        if joining.alive:
            process.stop(joining)
    expect(not (address := site.host_address("kiosk")), f"kiosk got the address {address}")
    return f"no address; {count} of its packets in drops: {Drop.HOST_NOT_ALLOWED.label}"


def policy(run: Run) -> str:
    # With a router apart, the gateway has the last word.
    return f"tcp/{CLOSED_PORT}: {forbidden('helpdesk', HELPDESK, str(run.laptop), CLOSED_PORT)}"


def spoof(run: Run) -> str:
    other = isatap_address(ISATAP_PREFIX, IPv4Address("10.0.1.99"))
    echoes = _kernel_counter("laptop", "web", "Icmp6InEchos")
    _refused(run, _echo(other, run.laptop), Drop.SOURCE_MISMATCH)
    after = _kernel_counter("laptop", "web", "Icmp6InEchos")
    expect(after == echoes, "a spoofed packet reached the laptop")
    return f"{FORGED} from {other}, sent by {HELPDESK}: {Drop.SOURCE_MISMATCH.label}, none forwarded"


def loop(run: Run) -> str:
    # The destination's 6to4 router would be ourselves: RFC 6324 section 2.
    again = IPv6Address(b"\x20\x02" + run.topology.router_locator.packed + bytes(9) + b"\x01")
    forwarded = _kernel_counter(run.topology.router, "run", "Ip6OutForwDatagrams")
    _refused(run, _echo(isatap_address(ISATAP_PREFIX, HELPDESK), again, hop_limit=255), Drop.LOOP)
    after = _kernel_counter(run.topology.router, "run", "Ip6OutForwDatagrams")
    expect(after == forwarded, "a looping packet was forwarded")
    return f"{FORGED} to {again}: {Drop.LOOP.label}, none forwarded"


def counters(run: Run) -> str:
    names = [row["name"] for row in _rows(run)]
    octets = count_pings(run, COUNTED, COUNTED_BYTES)
    moved = f"+{COUNTED} packets, +{octets} bytes each way"
    return f"{COUNTED} pings of {octets // COUNTED} bytes are exactly {moved} at {' and '.join(names)}"


def count_pings(run: Run, packets: int, size: int) -> int:
    """Ping with ``size`` bytes of data and see both ends' counters move by exactly that; the bytes each way.

    Raises :class:`LabError` when they do not.
    """
    octets = packets * (size + 48)
    expected = (packets, octets, packets, octets)
    argv = ["ping", "-n", "-c", str(packets), "-i", "0.01", "-s", str(size), str(run.laptop)]
    # Neighbour Discovery may fall into the measurement, truly counted as well: not three times in a row.
    for _ in range(3):
        before = list(map(_counters_of, _rows(run)))
        network.run("helpdesk", argv)
        # The last reply may come after ping has ended.
        moved = functools.partial(_moved_by, run, before, expected)
        with contextlib.suppress(LabError):
            process.wait_until("the counters move", moved, COUNTER_SECONDS)
            return octets
    raise LabError(f"counters of {packets} pings of {size + 48} bytes did not move by {expected}")


def _moved_by(run: Run, before: Sequence[Counters], expected: Counters) -> bool:
    """Whether the counters of both ends are those ``before`` and ``expected`` more."""
    return all(
        tuple(now - then for then, now in zip(old, new, strict=True)) == expected
        for old, new in zip(before, map(_counters_of, _rows(run)), strict=True)
    )


def _counters_of(row: Traffic) -> Counters:
    return row["rx_packets"], row["rx_bytes"], row["tx_packets"], row["tx_bytes"]


def _rows(run: Run) -> tuple[HostRow, ClientRow]:
    """What ``hosts`` says of helpdesk and ``clients`` of the laptop."""
    hosts = [row for row in site.ask(run.topology.router, "hosts") if row["ipv4"] == str(HELPDESK)]
    clients = [row for row in site.ask("gateway", "clients") if str(run.laptop) in row["addresses"]]
    expect(hosts and clients, f"{'hosts' if not hosts else 'clients'} does not list who is there")
    return hosts[0], clients[0]


def _refused(run: Run, packet: bytes, reason: Drop) -> None:
    """Send ``packet`` from helpdesk :data:`FORGED` times; each must be counted under ``reason``."""
    router = run.topology.router
    before = dropped(router, reason, HELPDESK)
    inject.send("helpdesk", run.topology.router_locator, [packet] * FORGED)
    process.wait_until(
        f"{FORGED} packets are dropped as {reason.label}",
        lambda: dropped(router, reason, HELPDESK) - before >= FORGED,
        DROP_SECONDS,
    )
    count = dropped(router, reason, HELPDESK) - before
    expect(count == FORGED, f"{FORGED} packets were counted as {count}")


def _echo(source: IPv6Address, target: IPv6Address, hop_limit: int = 64) -> bytes:
    message = icmpv6.build(source.packed, target.packed, ECHO_REQUEST, 0, bytes(4) + b"manageout")
    return ipv6.build(source.packed, target.packed, numbers.ICMPV6, message, hop_limit=hop_limit)


def _kernel_counter(node: str, program: str, name: str) -> int:
    """A counter of the node's own IPv6 stack, which ``program`` shares."""
    found = process.find(node, program)
    if found is None:
        raise LabError(f"{program} does not run on {node}")
    for line in Path(f"/proc/{found.pid}/net/snmp6").read_text().splitlines():
        if line.split()[0] == name:
            return int(line.split()[1])
    raise LabError(f"the kernel has no counter {name}")
