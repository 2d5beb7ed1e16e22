"""What the probes of a running Linux machine found: plain values, which are saved and read back as JSON.

Addresses and prefixes are text in their usual form, times are Unix seconds, durations are seconds. A field ``error``
says in words why there is no answer; it is empty when there is one.
"""

from typing import Literal, NamedTuple

BLOCKED = ("isatap", "wpad")
"""First labels on the global query block list of Windows' DNS servers, unless somebody has changed it."""


class DnsAnswer(NamedTuple):
    """One question to one DNS server. ``rcode``: NOERROR, NXDOMAIN, ...; empty when it said nothing."""

    name: str
    kind: str
    server: str
    """As in the site file: an address, with a port if it is not 53."""
    rcode: str
    records: tuple[str, ...] = ()
    """Of the kind that was asked for; behind aliases too."""
    authoritative: bool = False
    error: str = ""

    @property
    def quote(self) -> str:
        """In words, as evidence."""
        said = ", ".join(self.records) or self.rcode.replace("NOERROR", "no such record") or self.error
        return f"{self.name} {self.kind} on {self.server}: {said}"


class AdvertisedPrefix(NamedTuple):
    """A prefix from which hosts make addresses; lifetimes in seconds."""

    prefix: str
    valid: int
    preferred: int
    autonomous: bool


class AdvertisedRoute(NamedTuple):
    """A route through the router (RFC 4191); lifetime in seconds, 0 withdraws it."""

    prefix: str
    lifetime: int
    preference: str


class Advertisement(NamedTuple):
    """A Router Advertisement. ``lifetime`` in seconds; 0: not a default router."""

    source: str
    lifetime: int
    preference: str
    mtu: int | None
    prefixes: tuple[AdvertisedPrefix, ...]
    routes: tuple[AdvertisedRoute, ...]
    pref64: tuple[str, ...]


class RouterAnswer(NamedTuple):
    """What an ISATAP router said to a solicitation over protocol 41."""

    router: str
    source: str
    """The IPv4 address that asked."""
    seconds: float | None = None
    advertisement: Advertisement | None = None
    error: str = ""


class PathMtu(NamedTuple):
    """How large packets may be to get to a machine and back. ``mtu`` is None when not even small ones do."""

    target: str
    first: int
    """MTU of the first link, bytes."""
    mtu: int | None
    """The largest size that was answered, bytes."""
    told: tuple[tuple[str, int], ...] = ()
    """Who said "too big", and for which MTU."""
    error: str = ""

    @property
    def black_hole(self) -> bool:
        """Large packets vanish, and nobody says so."""
        return self.mtu is not None and self.mtu < self.first and not self.told


class Echo(NamedTuple):
    """A ping. ``by``: who sent an ICMP error instead of an answer."""

    target: str
    seconds: float | None = None
    by: str = ""
    error: str = ""


class TcpAnswer(NamedTuple):
    """An attempt to open a TCP connection. ``by``: who sent an ICMP error."""

    target: str
    port: int
    result: Literal["open", "refused", "prohibited", "unreachable", "silent"]
    seconds: float = 0.0
    by: str = ""
    error: str = ""


class NeighbourState(NamedTuple):
    """The kernel's neighbour entry. ``state``: reachable, stale, delay, probe, incomplete, failed, permanent, noarp,
    or none where there is no entry."""

    address: str
    dev: str
    state: str
    hardware: str = ""


class NextHop(NamedTuple):
    """The way of a packet from here, and whether its next hop answers. ``dev`` is empty when there is no route."""

    target: str
    dev: str = ""
    source: str = ""
    via: str = ""
    """Empty: the target is on the link."""
    neighbour: NeighbourState | None = None
    error: str = ""


class Certificate(NamedTuple):
    """An X.509 certificate. ``chain``: why the authority does not vouch for it; empty when it does or was not asked."""

    place: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    not_before: float
    not_after: float
    chain: str = ""
    error: str = ""
    """Why it cannot be read at all."""


class Crl(NamedTuple):
    """A certificate revocation list. ``next_update`` is None when it has no end."""

    place: str
    issuer: str
    this_update: float
    next_update: float | None
    revoked: tuple[str, ...] = ()
    """Serial numbers, hexadecimal; at most a thousand."""
    signed: bool = True
    """By the authority in whose name it speaks."""
    error: str = ""


class GatewayAnswer(NamedTuple):
    """What a gateway's URL leads to. ``verify``: why a client would refuse the certificate."""

    url: str
    address: str = ""
    certificate: Certificate | None = None
    verify: str = ""
    status: int | None = None
    """Of HTTP."""
    ahead: float | None = None
    """Seconds by which our clock is ahead of the Date that it sent."""
    error: str = ""
    """Why there is no TLS connection."""


class ClockReading(NamedTuple):
    """Another machine's clock. ``ahead``: seconds by which ours is."""

    server: str
    how: str
    ahead: float | None = None
    error: str = ""


Kind = Literal[
    "protocol 41 in", "protocol 41 out", "TLS in", "TLS out", "clients' packets", "leases' packets"
]


class Judged(NamedTuple):
    """What the packet filter does with one kind of packet that must pass. ``rule``: whose doing that is."""

    what: Kind
    packet: str
    result: Literal["accept", "drop", "maybe"]
    rule: str = ""


class ReversePath(NamedTuple):
    """The kernel's check of sources on a device. ``back``: the device of the way back to ``network``, else empty."""

    dev: str
    strict: bool
    network: str
    back: str

    @property
    def drops(self) -> bool:
        """What comes from there is dropped without a trace."""
        return self.strict and self.back != self.dev


class DueRecord(NamedTuple):
    """A DNS record that a lease should have, and what each server has instead of it."""

    client: str
    name: str
    kind: Literal["A", "AAAA", "PTR"]
    wanted: tuple[str, ...]
    answers: tuple[DnsAnswer, ...]


class Daemon(NamedTuple):
    """Our own process here. ``error``: why it says nothing; ``waiting``: roles that do not serve yet."""

    running: bool
    error: str = ""
    waiting: tuple[str, ...] = ()
    findings: tuple[tuple[str, str, str, str], ...] = ()
    """What it has found itself: code, severity, message, remedy."""


class Expected(NamedTuple):
    """What the site file says, as far as it is held against the network."""

    router_name: str = ""
    domain: str = ""
    routers: tuple[str, ...] = ()
    """IPv4 addresses that the name may lead to."""
    isatap_prefix: str = ""
    isatap_mtu: int = 0
    gateway: bool = False
    isatap: bool = False
    translation: bool = False


class Live(NamedTuple):
    """A running Linux machine, as probes and kernel tell of it."""

    host: str
    taken: float
    kind: Literal["gateway", "router", "host", "plain"]
    """By its site file, else by the ISATAP link that it has."""
    expected: Expected = Expected()
    daemon: Daemon | None = None
    """None: no site file says that there should be one."""
    servers: tuple[str, ...] = ()
    answers: tuple[DnsAnswer, ...] = ()
    """About the router's name and the bare ``isatap``."""
    routers: tuple[RouterAnswer, ...] = ()
    hops: tuple[NextHop, ...] = ()
    paths: tuple[PathMtu, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    reverse_paths: tuple[ReversePath, ...] = ()
    filters: tuple[Judged, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    gateways: tuple[GatewayAnswer, ...] = ()
    records: tuple[DueRecord, ...] = ()
    clocks: tuple[ClockReading, ...] = ()
    clock_set: bool | None = None
    """Whether the kernel believes its clock."""
    unseen: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    faults: tuple[str, ...] = ()
    """Of the site file, which then was not used."""

    def sysctl(self, name: str) -> str | None:
        """A kernel parameter, or None when it is not known."""
        return dict(self.sysctls).get(name)
