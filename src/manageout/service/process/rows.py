"""What leaves a process by its control socket: the fields of each answer, for who fills and for who reads them.

They are dictionaries from the role to the reader, because JSON makes nothing else of them; mypy holds both ends to
these names. ``docs/reference/control.md`` and ``control.schema.json`` are made from here. Times are Unix seconds.
"""

# Not with annotations from __future__: each would be compiled once more, in every `manageout status`.

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
RoleStatus = Mapping[str, Json]
"""What a role says of itself: short, flat, in words of its own. Whoever reads it takes a missing one for nothing."""
Severity = Literal["error", "warning", "note"]


class Traffic(TypedDict):
    """``rx``: from the host or client, ``tx``: to it."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int


class HostRow(Traffic):
    """One ISATAP host that was seen."""

    ipv4: str
    ipv6: str
    name: str
    """Of its PTR record, or empty."""
    first_seen: float
    last_rs: float
    """When it last asked for a router; 0: never."""
    last_packet: float
    """0: never."""
    retires: bool
    """It is told to let go of ISATAP."""


class ClientRow(Traffic):
    """One connected remote client."""

    name: str
    """In its certificate, or empty."""
    addresses: list[str]
    peer: str
    """Where it connects from, with its port."""
    since: float
    last_seen: float
    framing: str
    """``own``, ``stock`` or nothing yet."""


class LeaseRow(TypedDict):
    """One intranet IPv4 address, or one client that waits for one."""

    name: str
    ipv4: str | None
    state: str
    """``held``, ``grace``, ``quarantine`` or ``waiting``."""
    fixed: bool
    """By the site file."""
    until: float | None
    """When grace or quarantine ends."""
    address: str | None
    """The client's stable IPv6 address."""
    others: list[str]
    """Its further IPv6 addresses."""
    since: float | None
    peer: str | None
    transport: str | None


class LeasePeriod(TypedDict):
    """Who held which address from when to when."""

    name: str
    ipv4: str
    address: str | None
    since: float
    until: float | None
    """null: still."""
    transport: str
    peer: str
    ended: str | None
    """Why."""


class SessionRow(Traffic):
    """One connection between a client and somebody."""

    client: str
    """Its name, or empty."""
    client_address: str
    peer: str
    """The other end's address, as the intranet knows it."""
    peer_name: str
    begun_by: Literal["manager", "client"]
    protocol: str
    port: int
    """0: none."""
    state: str
    since: float | None
    through: str
    """``ISATAP``, ``NAT64``, ``NAT46`` or ``IPv6``."""


class DropRow(TypedDict):
    """Packets or connections that were refused for one reason, from one source."""

    reason: str
    """Such as ``loop``."""
    source: str
    """Address or name, as far as it is known."""
    count: int
    last: float | None
    certificate: NotRequired[str]
    """Of a refused client: name and serial number."""
    to: NotRequired[str]
    """Where the policy refuses: the client that was called."""
    service: NotRequired[str]
    """Such as ``tcp/3389``."""
    meaning: NotRequired[str]
    """The reason in words."""


class FindingRow(TypedDict):
    """What somebody should look at."""

    code: str
    severity: Severity
    what: str
    remedy: str


Nat64Row = TypedDict("Nat64Row", {"process": NotRequired[str], "prefixes": list[str], "from": str})
Nat64Row.__doc__ = "The NAT64 prefixes that hold here, and who says so."


class LinkRow(Traffic):
    """One device of ours; ``rx`` and ``tx`` as the kernel counts them."""

    ifindex: int
    name: str
    up: bool
    carrier: bool
    mtu: int
    addresses: list[str]


class RecentDrops(TypedDict):
    """Drops of the last minutes."""

    seconds: float
    """How many of them."""
    counts: dict[str, int]
    """By reason."""


class Privileges(TypedDict):
    """What the process may still do."""

    capabilities: list[str]
    no_new_privs: bool


class FileFault(TypedDict):
    """One fault of a site file."""

    what: str
    remedy: str


class RejectedFile(TypedDict):
    """A site file that a reload could not use."""

    at: float
    message: str
    remedy: str
    faults: list[FileFault]


class ConfigFile(TypedDict):
    """The site file."""

    file: str
    loaded: float
    rejected: RejectedFile | None


class About(TypedDict, total=False):
    """What kind of process it is."""

    what: str
    """``daemon``, ``connect`` or ``ISATAP host``."""
    site: str
    config: ConfigFile
    metrics: str
    """Where Prometheus finds its figures."""
    url: str
    """The gateway's."""


class Status(About):
    """Everything on one screen."""

    version: str
    pid: int
    node: str
    """This machine's name."""
    since: float
    roles: Mapping[str, RoleStatus]
    findings: list[FindingRow]
    """The worst first."""
    links: list[LinkRow]
    recent_drops: RecentDrops
    privileges: Privileges


ANSWERS: Mapping[str, object] = {
    "status": Status,
    "hosts": list[HostRow],
    "clients": list[ClientRow],
    "leases": list[LeaseRow],
    "audit": list[LeasePeriod],
    "drops": list[DropRow],
    "sessions": list[SessionRow],
    "nat64": Nat64Row,
}
"""Command -> the shape of its answer."""
