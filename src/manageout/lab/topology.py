"""The two networks of the lab as data: segments, nodes, addresses, routes. Nothing here touches the kernel.

Every interface is named after the segment that it is plugged into. The addresses are those of the guide
(docs/guide/lab.md); a node's IPv6 beside what our own daemons add exists only where a line below says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from manageout.errors import LabError

SITE = IPv6Network("fd12:3456:789a::/48")
CLIENT_PREFIX = IPv6Network("fd12:3456:789a:1000::/64")
ISATAP_PREFIX = IPv6Network("fd12:3456:789a:1::/64")
DOMAIN = "corp.example"
ISATAP_NAME = f"manageout-isatap.{DOMAIN}"
GATEWAY_NAME = f"gateway.{DOMAIN}"
LAPTOP_NAME = f"laptop.{DOMAIN}"
TABLET_NAME = f"tablet.{DOMAIN}"
REMOTE = {"laptop": LAPTOP_NAME, "tablet": TABLET_NAME}
"""Node -> name in the certificate of the remote clients."""
APP_NAME = f"app.{DOMAIN}"
LOCATION_NAME = f"nls.{DOMAIN}"
GATEWAY_PUBLIC = IPv4Address("198.51.100.10")
DNS_INTRANET = IPv4Address("10.0.0.10")
DNS_HOME = IPv4Address("192.168.1.1")
HELPDESK = IPv4Address("10.0.1.30")
KIOSK = IPv4Address("10.0.1.40")
APP = IPv4Address("10.0.0.20")
LEASES = IPv4Network("10.0.0.128/26")
"""Within the intranet's own segment: the gateway answers ARP for them."""
# Between the gateway and a router of its own, over the intranet (external-router only).
GATEWAY_INTRANET = IPv6Interface("fd12:3456:789a:2::1/64")
ROUTER_INTRANET = IPv6Interface("fd12:3456:789a:2::2/64")

SEGMENTS = {
    "internet": IPv4Network("198.51.100.0/24"),
    "home": IPv4Network("192.168.1.0/24"),
    "intranet": IPv4Network("10.0.0.0/24"),
    "branch": IPv4Network("10.0.1.0/24"),
}
NAMES = ("single", "external-router")


@dataclass(frozen=True)
class Port:
    """A node's plug in a segment: an interface named like the segment."""

    segment: str
    address: IPv4Interface
    address6: IPv6Interface | None = None


@dataclass(frozen=True)
class LabNode:
    """One machine: a namespace ``mo-NAME``."""

    name: str
    role: str
    ports: tuple[Port, ...]
    routes: tuple[tuple[IPv4Network, IPv4Address], ...] = ()
    forwarding: bool = False
    masquerade: str | None = None
    """The segment behind whose address the node hides the others."""
    resolver: IPv4Address | None = None

    @property
    def address(self) -> IPv4Address:
        """The address on the first port."""
        return self.ports[0].address.ip


@dataclass(frozen=True)
class Topology:
    """A whole lab."""

    name: str
    nodes: tuple[LabNode, ...]

    def node(self, name: str) -> LabNode:
        """The node called ``name``; raises :class:`LabError`."""
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise LabError(f"the lab {self.name} has no node {name}", f"it has: {known}")

    @property
    def router(self) -> str:
        """The node that is the ISATAP router."""
        return "isatap" if self.name == "external-router" else "gateway"

    @property
    def router_locator(self) -> IPv4Address:
        """The IPv4 address to which ISATAP hosts send."""
        return self.node(self.router).ports[-1].address.ip

    @property
    def router_link(self) -> IPv6Address | None:
        """The ISATAP router's native IPv6 address towards the gateway, if it is a node of its own."""
        return ROUTER_INTRANET.ip if self.router == "isatap" else None


def topology(name: str) -> Topology:
    """The lab called ``name``; raises :class:`LabError`."""
    if name not in NAMES:
        raise LabError(f"no topology {name}", f"there are: {', '.join(NAMES)}")
    external = name == "external-router"
    gateway6 = GATEWAY_INTRANET if external else None
    branch = (SEGMENTS["branch"], IPv4Address("10.0.0.254"))
    nodes = [
        _remote("laptop", "remote client", 2),
        _remote("tablet", "second remote client", 3),
        LabNode(
            "home",
            "home router with NAT",
            (_port("internet", 20), _port("home", 1)),
            forwarding=True,
            masquerade="internet",
            resolver=DNS_HOME,
        ),
        LabNode(
            "gateway",
            "IP-HTTPS gateway" if external else "IP-HTTPS gateway and ISATAP router",
            (_port("internet", 10), _port("intranet", 1, gateway6)),
            (branch,),
            resolver=DNS_INTRANET,
        ),
        _intranet("dc", "DNS server", 10),
        _intranet("app", "IPv4-only web server", 20),
        LabNode(
            "core",
            "intranet router",
            (_port("intranet", 254), _port("branch", 1)),
            forwarding=True,
            resolver=DNS_INTRANET,
        ),
        _branch("helpdesk", "allowed manager", 30),
        _branch("kiosk", "not allowed", 40),
    ]
    if external:
        nodes.insert(4, _intranet("isatap", "ISATAP router", 2, ROUTER_INTRANET))
    return Topology(name, tuple(nodes))


def _port(segment: str, host: int, address6: IPv6Interface | None = None) -> Port:
    network = SEGMENTS[segment]
    return Port(segment, IPv4Interface((network[host], network.prefixlen)), address6)


def _remote(name: str, role: str, host: int) -> LabNode:
    default = ((IPv4Network("0.0.0.0/0"), DNS_HOME),)
    return LabNode(name, role, (_port("home", host),), default, resolver=DNS_HOME)


def _intranet(name: str, role: str, host: int, address6: IPv6Interface | None = None) -> LabNode:
    routes = ((SEGMENTS["branch"], IPv4Address("10.0.0.254")),)
    return LabNode(name, role, (_port("intranet", host, address6),), routes, resolver=DNS_INTRANET)


def _branch(name: str, role: str, host: int) -> LabNode:
    default = ((IPv4Network("0.0.0.0/0"), IPv4Address("10.0.1.1")),)
    return LabNode(name, role, (_port("branch", host),), default, resolver=DNS_INTRANET)
