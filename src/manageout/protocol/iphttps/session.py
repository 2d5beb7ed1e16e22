"""One client connection at the server and its addresses; where packets for connections and kernel are collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.traffic import Traffic
from manageout.protocol.iphttps.values import STRICT_LIMIT, TUN, Framing, Peer
from manageout.protocol.offload.cut import more
from manageout.protocol.offload.join import StockStream
from manageout.wire.iphttps import PACKET, SUPER_PACKET, HeadParser, OwnFramer, build_record
from manageout.wire.virtio import PLAIN, VNET_HEADER

ODD_PER_SECOND, ODD_BURST = 50.0, 100.0
"""Neighbour Discovery and multicast that one client may cause."""
COPIES_PER_SECOND, COPIES_BURST = 400.0, 2_000.0
"""Copies of its multicast: a tenth of what the whole link may make (``iphttps_nd``)."""
MAX_DROP_SOURCES = 4096


@dataclass(slots=True, eq=False)
class Neighbour:
    """One address and the connection that holds it."""

    address: bytes
    session: Session
    used: float
    """When the client last sent from it, or answered for it."""
    probes: int = 0
    """Unanswered solicitations for it."""


@dataclass(slots=True, eq=False)
class Session(Traffic):
    """A connection. ``head`` is there until the HTTP exchange is done, one of the framers after it."""

    number: int
    serial: int
    """Later connections have higher ones."""
    peer: Peer
    since: float
    """Monotonic time at which the connection was opened."""
    identity: str | None = field(init=False)
    name: str = field(init=False)
    last_seen: float = field(init=False)
    next_ra: float = field(init=False)
    next_probe: float = field(init=False)
    head: HeadParser | None = field(default_factory=HeadParser)
    stock: StockStream | None = None
    own: OwnFramer | None = None
    addresses: dict[bytes, Neighbour] = field(default_factory=dict)
    allowance: TokenBucket = field(default_factory=lambda: TokenBucket(ODD_PER_SECOND, ODD_BURST))
    copies: TokenBucket = field(default_factory=lambda: TokenBucket(COPIES_PER_SECOND, COPIES_BURST))
    out: list[bytes] = field(default_factory=list)
    blocked: bool = False
    returns: bool = False
    """It understands when it is to come back."""
    half_since: float = 0.0
    """Since when a packet is half received; 0: none is."""
    wake: float = inf

    def __post_init__(self) -> None:
        self.identity, self.name = self.peer.identity, self.peer.name
        self.last_seen = self.next_ra = self.next_probe = self.since

    def establish(self, own: bool, vnet_hdr: bool = False, joins: bool = True) -> None:
        """The HTTP exchange is done: packets from here on. ``joins``: make super-packets for the kernel."""
        self.head = None
        if own:
            self.own = OwnFramer()
        else:
            self.stock = StockStream(STRICT_LIMIT, joins, vnet_hdr)

    @property
    def pending(self) -> int:
        """Bytes held of a packet that is not yet whole."""
        framer = self.own or self.stock
        return framer.pending if framer else 0

    @property
    def framing(self) -> Framing:
        """How its packets are carried."""
        return "own" if self.own else "stock"


class Outbox:
    """What waits for ``transmit``, and the counts of what was dropped instead."""

    def __init__(self, vnet_hdr: bool) -> None:
        self.vnet_hdr = vnet_hdr
        self.tun: list[bytes] = []
        self.dirty: list[Session] = []
        """Sessions whose ``out`` is not empty, each once."""
        self.drops = DropTable(MAX_DROP_SOURCES)
        self.now = 0.0
        """The time of the input that is being served."""

    def stream(self, session: Session, data: bytes) -> None:
        """Bytes of the stream that are no packet: heads and keepalives."""
        if not session.out:
            self.dirty.append(session)
        session.out.append(data)

    def packet(self, session: Session, packet: bytes) -> None:
        """One IPv6 packet to a client, in its framing."""
        if self._room(session):
            session.packets_out += 1
            session.bytes_out += len(packet)
            self.stream(session, build_record(PACKET, packet) if session.own else packet)

    def super_packet(self, session: Session, packet: bytes) -> None:
        """One packet with its ``virtio_net_hdr`` to a client with our framing."""
        further, size = more(packet)
        if self._room(session, 1 + further):
            session.packets_out += 1 + further
            session.bytes_out += len(packet) - VNET_HEADER + size
            self.stream(session, build_record(SUPER_PACKET, packet))

    def _room(self, session: Session, packets: int = 1) -> bool:
        """A client that does not read must not make us remember what it asks for."""
        if session.blocked:
            self.drop(Drop.QUEUE_FULL, session.name, packets)
        return not session.blocked

    def kernel(self, packet: bytes) -> None:
        """One IPv6 packet of ours to the kernel."""
        self.tun.append(PLAIN + packet if self.vnet_hdr else packet)

    def drop(self, reason: Drop, name: str, times: int = 1) -> None:
        """Every packet that is dropped passes here. ``name``: the client, or ``""`` for the kernel's side."""
        self.drops.count(reason, name.encode(), self.now, times)

    def take(self) -> list[tuple[int, list[bytes]]]:
        """Everything, and forget it."""
        taken: list[tuple[int, list[bytes]]] = []
        if self.tun:
            taken.append((TUN, self.tun))
            self.tun = []
        for session in self.dirty:
            if session.out:
                taken.append((session.number, session.out))
                session.out = []
        self.dirty.clear()
        return taken
