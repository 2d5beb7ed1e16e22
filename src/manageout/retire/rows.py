"""What the steps of a retirement find, as it is kept in retire.db and printed by ``--json``; times are Unix seconds."""

from typing import TypedDict


class DnsAddress(TypedDict):
    """An AAAA record with an ISATAP address."""

    name: str
    address: str


class CensusHost(TypedDict):
    """A host with an ISATAP address, in a router's registry or in the DNS."""

    ipv4: str
    name: str
    routers: list[str]
    """That have seen it."""
    first_seen: float
    last_seen: float
    packets: int
    bytes: int
    records: list[DnsAddress]
    native: list[str]
    """Its IPv6 addresses that are no tunnel's."""
    foreign: bool
    """It has an address of another router's link."""


class PublishedName(TypedDict):
    """What one server, or one zone, says of a name by which ISATAP routers are found."""

    name: str
    place: str
    values: list[str]
    said: str
    """The server's code where there are no values."""
    blocked: bool


class PolicySetting(TypedDict):
    """What a group policy says of ISATAP: :class:`manageout.windows.gpo_read.Setting`, and where it is linked."""

    policy: str
    guid: str
    place: str
    what: str
    turns: str
    links: list[str]


class OpenedService(TypedDict):
    """Calls to one service of one client."""

    client: str
    protocol: str
    port: int
    calls: int
    unanswered: int
    last: float


HostVerdict = TypedDict(
    "HostVerdict",
    {
        "ipv4": str,
        "name": str,
        "class": str,  # initiates, holds or gone
        "last_seen": float,
        "last_call": float,
        "calls": int,
        "opens": list[OpenedService],
        "already": dict[str, int],  # calls that go another way, by way
        "serves": str,  # native, lease or nothing
        "blockers": list[str],
        "native": list[str],
    },
)
"""Whether a host calls clients by ISATAP, and what will serve it instead."""


class Baseline(TypedDict):
    """What a host had done when it began to retire."""

    ipv4: str
    day: int
    packets: int
    calls: list[tuple[str, str, str, int, int, int]]
    """Way, client, protocol, port, calls, unanswered: of that day."""


def service_name(protocol: str, port: int) -> str:
    """``tcp/3389``, or ``icmp`` where there is no port."""
    return f"{protocol}/{port}" if port else protocol


def services(opens: list[OpenedService]) -> list[str]:
    """The names of the services, each once, in their order."""
    return list(dict.fromkeys(service_name(each["protocol"], each["port"]) for each in opens))
