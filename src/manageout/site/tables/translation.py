"""The tables ``[translation]`` and ``[policy]``: IPv4 for remote clients, and who may do what."""

from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import ConfigDict, Field

from manageout.site.tables import types

RFC_1918 = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))


class EamTable(types.TomlTable):
    """``[[translation.eam]]``: an explicit address mapping (RFC 7757) for a machine that is no client."""

    ipv4: types.HostNetwork4
    """The addresses on the IPv4 side."""
    ipv6: types.HostNetwork6
    """The same number of addresses, or more, on the IPv6 side."""


class TranslationTable(types.TomlTable):
    """``[translation]``: NAT64 inwards, and an intranet IPv4 address (a lease) for each client."""

    pool: types.Pool
    """Intranet addresses that nobody else uses; clients get theirs from it."""
    block: Annotated[int | None, Field(ge=8, le=32)] = None
    """Prefix length of one gateway's part of the pool; the node's number selects it. Left out: all of it."""
    prefix: types.Nat64Prefix | None = None
    """NAT64 prefix (RFC 6052); derived from the site prefix when left out."""
    grace: Annotated[float, Field(ge=0)] = 86400.0
    """Seconds that a disconnected client's lease, and its stable IPv6 address, are held for it; then its DNS records
    go where names.keep is "grace". Connections that it left open are forgotten after as long, three minutes at most."""
    quarantine: Annotated[float, Field(ge=0)] = 3600.0
    """Seconds after that before anybody else gets the address."""
    audit_days: Annotated[int, Field(ge=1, le=36500)] = 365
    """Days after its end for which the audit log says who held a lease; it has a million entries at most."""
    fixed: dict[str, IPv4Address] = Field(default_factory=dict)
    """Certificate name -> the one lease of that client."""
    masquerade: bool = False
    """Clients appear with the gateway's own IPv4 address: no route to the pool, but nobody can call them."""
    eam: tuple[EamTable, ...] = ()
    """``[[translation.eam]]`` tables."""


class ManagerTable(types.TomlTable):
    """``[[policy.managers]]``: who may call which clients, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = ""
    """For lists and counters; ``managers.N`` when left out."""
    source: Annotated[tuple[types.Source, ...], Field(alias="from", min_length=1)]
    """Intranet machines: networks, addresses, or DNS names."""
    to: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    """Certificate names (with * and ?) of the clients."""
    services: Annotated[tuple[types.Service, ...], Field(min_length=1)]
    """What may be opened: ``tcp/3389``, ``tcp/5985-5986``, ``icmp``, ``any``; IPsec (ESP) is ``any`` only."""

    def calls(self, identity: str) -> bool:
        """Whether it lets somebody call the client of that certificate name."""
        return any(fnmatchcase(identity.lower(), pattern.lower()) for pattern in self.to)

    def allows(self, protocol: str, port: int) -> bool:
        """Whether it lets them open this; port 0: a protocol without ports, or any of them."""
        for service in self.services:
            kind, _, ports = service.partition("/")
            first, _, last = ports.partition("-")
            if kind == "any" or (
                kind == protocol and (not ports or int(first) <= port <= int(last or first))
            ):
                return True
        return False


class PolicyTable(types.TomlTable):
    """``[policy]``: what is allowed. Nobody may call clients until a ``[[policy.managers]]`` table says so."""

    hairpin: bool = False
    """Clients may talk to other clients of this gateway, also by link-local addresses and multicast."""
    intranet: tuple[types.Network, ...] = RFC_1918
    """IPv4 and IPv6 destinations that clients may reach, beside the site prefix."""
    gateway_services: tuple[types.Service, ...] = ()
    """What clients may open on the gateway itself, by whatever address of it, beside ICMP and its DNS64: "tcp/22"."""
    managers: tuple[ManagerTable, ...] = ()
    """``[[policy.managers]]`` tables."""
