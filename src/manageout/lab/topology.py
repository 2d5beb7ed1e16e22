"""The two networks of the lab as data: segments, nodes, addresses, routes. Nothing here touches the kernel.

The nodes stand in topologies.toml, and what is written for their programs in texts.toml. Every interface is named after
the segment that it is plugged into. The addresses are those of the guide (docs/guide/lab.md); a node's IPv6 beside what
our own daemons add exists only where a line there says so.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from string import Template

from pydantic import TypeAdapter

from manageout.errors import LabError
from manageout.words import toml_of

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
GATEWAY_INTRANET = IPv6Address("fd12:3456:789a:2::1")
ROUTER_INTRANET = IPv6Address("fd12:3456:789a:2::2")
# In Active Directory, and the key of BIND's dynamic updates.
BASE = ",".join(f"DC={label}" for label in DOMAIN.split("."))
REALM = DOMAIN.upper()
ACCOUNT = "manageout"
PRINCIPAL = f"{ACCOUNT}@{REALM}"
MANAGERS, CLIENTS = "ISATAP Managers", "Remote Clients"
UPDATE_KEY = "manageout"
TTL = 60
SSH_PORT = 22

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
        return ROUTER_INTRANET if self.router == "isatap" else None


def topology(name: str) -> Topology:
    """The lab called ``name``; raises :class:`LabError`."""
    if name not in NAMES:
        raise LabError(f"no topology {name}", f"there are: {', '.join(NAMES)}")
    rows = [
        row for row in toml_of("manageout.lab", "topologies.toml")["nodes"] if row.get("only", name) == name
    ]
    return Topology(name, TypeAdapter(tuple[LabNode, ...]).validate_python(rows))


def text_of(name: str) -> str:
    """The text ``TABLE.NAME`` of texts.toml as it stands there."""
    table, _, key = name.partition(".")
    return str(toml_of("manageout.lab", "texts.toml")[table][key])


def filled(name: str, **values: object) -> str:
    """That text with what stands for ``$NAME``: ``values``, and the names above."""
    return Template(text_of(name)).substitute(globals(), **values)


def parts(table: str, facts: Collection[str], **values: object) -> str:
    """The texts of a table for which the table "when" names no fact that is not among ``facts``, in order."""
    texts = toml_of("manageout.lab", "texts.toml")
    wanted = (each for each in texts[table] if set(texts["when"].get(each, ())) <= set(facts))
    return "".join(filled(f"{table}.{each}", **values) for each in wanted)


def programs(table: str) -> dict[str, str]:
    """Program -> Debian package, of those that a part of the lab needs."""
    return dict(toml_of("manageout.lab", "texts.toml")["programs"][table])
