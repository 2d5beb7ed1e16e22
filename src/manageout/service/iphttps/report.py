"""What ``manageout clients`` and ``drops`` and Prometheus are told about the gateway's clients."""

import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.session import Session
from manageout.service.iphttps.refusals import Refusals
from manageout.service.process.metrics import Metric
from manageout.service.process.rows import ClientRow, DropRow


def clients(sessions: Sequence[Session]) -> Iterator[ClientRow]:
    """One row a connected client; times since the epoch."""
    epoch = time.time() - time.monotonic()
    for session in sessions:
        yield {
            "name": session.name,
            "addresses": [str(IPv6Address(address)) for address in session.addresses],
            "peer": place(session.peer.address, session.peer.port),
            "since": epoch + session.since,
            "last_seen": epoch + session.last_seen,
            "framing": session.framing,
            "rx_packets": session.packets_in,
            "rx_bytes": session.bytes_in,
            "tx_packets": session.packets_out,
            "tx_bytes": session.bytes_out,
        }


def place(address: str, port: int) -> str:
    """Where a client connects from."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


PacketDrops = Sequence[tuple[Drop, str, int]]
"""Reason, client's name, count."""


def packet_drops(drops: PacketDrops) -> list[DropRow]:
    """One row a reason and client."""
    return [DropRow(reason=why.label, source=name, count=count, last=None) for why, name, count in drops]


def refusals(table: Refusals) -> list[DropRow]:
    """One row a reason, network address and certificate of refused connections."""
    epoch = time.time() - time.monotonic()
    rows: list[DropRow] = []
    for item in table.by_source():
        source, _, certificate = item.source.decode(errors="replace").partition(" ")
        row = DropRow(reason=item.reason.label, source=source, count=item.times, last=epoch + item.last)
        if certificate:
            row["certificate"] = certificate
        rows.append(row)
    return rows


def totals(packets: Mapping[Drop, int], refused: Refusals) -> dict[str, int]:
    """Exact counts by reason."""
    return {reason.label: count for reason, count in {**packets, **refused.totals}.items()}


def metrics(sessions: Sequence[Session]) -> Iterator[Metric]:
    """Gauges and counters; a client that has gone takes its counters with it."""
    yield Metric("iphttps_clients", len(sessions))
    # One session a name, the latest: a label must not appear twice.
    latest = {session.name: session for session in sessions}
    received = [({"client": name}, session.bytes_in) for name, session in latest.items()]
    yield Metric("iphttps_client_receive_bytes", received)
    sent = [({"client": name}, session.bytes_out) for name, session in latest.items()]
    yield Metric("iphttps_client_transmit_bytes", sent)
