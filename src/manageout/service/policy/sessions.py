"""Who is connected to whom: the kernel's connections that have a client at one end, in the words of the site.

Each translated session is two connections to the kernel; the one in IPv6 is read, where both ends are known.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from manageout.linux.netlink.conntrack import ConntrackEntry, each_connection
from manageout.service.process.rows import SessionRow
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.wire.address import bounds, embedded_isatap, rfc6052_extract

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 47: "gre", 50: "esp", 132: "sctp"}


class Mechanism(StrEnum):
    """Through what an IPv4 machine of the intranet and a client meet."""

    NAT64 = "NAT64"
    NAT46 = "NAT46"
    ISATAP = "ISATAP"
    IPV6 = "IPv6"


def machine(packed: bytes, site: Site, plan: Plan) -> tuple[IPv4Address | IPv6Address, Mechanism]:
    """The address by which the intranet knows a machine, and the way to it; NAT64 stands for both directions."""
    address = ip_address(packed)
    if isinstance(address, IPv4Address):
        return address, Mechanism.NAT64
    if site.translation is not None and address in plan.nat64:
        return rfc6052_extract(plan.nat64, address) or address, Mechanism.NAT64
    v4 = embedded_isatap(packed) if address in plan.isatap_prefix else None
    if v4 is not None:
        return IPv4Address(v4), Mechanism.ISATAP
    return address, Mechanism.IPV6


class Call(NamedTuple):
    """A connection that a machine of the intranet has begun to a client."""

    manager: IPv4Address | IPv6Address
    """As the intranet knows it."""
    way: Mechanism
    client: str
    """Its name; empty where only its address is known."""
    client_address: str


class Sessions:
    """``identity(address)``: the client that has it; ``name(address)``: of an intranet machine, or nothing."""

    def __init__(
        self,
        site: Site,
        plan: Plan,
        identity: Callable[[bytes], str | None],
        name: Callable[[IPv4Address | IPv6Address], str],
    ) -> None:
        self._site, self._plan = site, plan
        self._identity, self._name = identity, name
        prefixes = [plan.client_prefix, plan.client_aggregate, *(plan.advertised if site.isatap else ())]
        self._prefixes = list(dict.fromkeys(bounds(prefix) for prefix in prefixes))
        own = [plan.dns64, plan.gateway_address]
        self._own = frozenset(address.packed for address in own)

    def rows(self) -> Iterator[SessionRow | None]:
        """One a session, as the kernel lists them; None: one of others. Times are Unix seconds.

        Raises :class:`KernelError`.
        """
        return (found and self.row(found) for found in each_connection(self._concerns_us))

    def row(self, connection: ConntrackEntry) -> SessionRow:
        """``rx``: from the client, ``tx``: to the client, whoever began."""
        outbound = not self._is_client(connection.source)
        client, other = connection.source, connection.destination
        sent = connection.sent_packets, connection.sent_bytes
        received = connection.received_packets, connection.received_bytes
        if outbound:
            client, other, sent, received = other, client, received, sent
        peer, way = machine(other, self._site, self._plan)
        return {
            "client": self._identity(client) or "",
            "client_address": str(IPv6Address(client)),
            "peer": str(peer),
            "peer_name": self._identity(other) or self._name(peer),
            "begun_by": "manager" if outbound else "client",
            "protocol": PROTOCOLS.get(connection.protocol, str(connection.protocol)),
            "port": connection.port,
            "state": connection.state,
            "since": connection.start,
            "rx_packets": sent[0],
            "rx_bytes": sent[1],
            "tx_packets": received[0],
            "tx_bytes": received[1],
            "through": str(Mechanism.NAT46 if outbound and way is Mechanism.NAT64 else way),
        }

    def call(self, connection: ConntrackEntry) -> Call | None:
        """Who calls whom, if it is a call of a manager."""
        source, client = connection.source, connection.destination
        if (
            self._is_client(source)
            or not self._is_client(client)
            or client in self._own
            or source in self._own
        ):
            return None
        manager, way = machine(source, self._site, self._plan)
        if way is Mechanism.NAT64:
            way = Mechanism.NAT46
        return Call(manager, way, self._identity(client) or "", str(IPv6Address(client)))

    def _concerns_us(self, source: bytes, destination: bytes) -> bool:
        """One end is a client; what the gateway itself is asked is no session of the site."""
        if destination in self._own or source in self._own:
            return False
        return self._is_client(source) or self._is_client(destination)

    def _is_client(self, address: bytes) -> bool:
        return any(low <= address <= high for low, high in self._prefixes)
