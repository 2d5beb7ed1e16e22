"""IP-HTTPS: the values that the machines and their drivers exchange ([MS-IPHTTPS]).

``TUN`` is the kernel's side of the link. For the server every other endpoint is a session, an int >= 1 that
the driver chooses and never uses twice. For the client there is one other endpoint, ``SERVER``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv6Address, IPv6Network
from typing import Literal, NamedTuple

from manageout.protocol.core.drops import Drop
from manageout.protocol.host.link_names import NamesSeen
from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.wire.nd import Preference

TUN = 0
SERVER = 1
STRICT_LIMIT = 1500
"""A stock peer that announces a longer packet does not speak this protocol (3.1.5.3 sets no bound)."""

Mode = Literal["certificates", "none"]
Framing = Literal["stock", "own"]

FRAMING_HEADER = "Manageout-Framing"
ADDRESS_HEADER = "Manageout-Address"
RETURN_HEADER = "Manageout-Return"
"""A client with it in its request is told, in our own framing, when to come back after a clean stop."""


class Peer(NamedTuple):
    """Who is at the other end of a connection: IP address and port; name in its certificate in lower case, or None."""

    address: str
    port: int
    identity: str | None = None

    @property
    def name(self) -> str:
        """How this client is called in lists and counters."""
        return self.identity or self.address


@dataclass(frozen=True)
class ServerConfig:
    """What the server machine needs to know. Times in seconds."""

    prefix: IPv6Network
    """The /64 of the link."""
    link_local: IPv6Address
    address: IPv6Address
    """The gateway's own two addresses on the link."""
    routes: tuple[IPv6Network, ...] = ()
    """Prefixes behind the gateway: Route Information options."""
    dns: tuple[IPv6Address, ...] = ()
    """DNS servers of the clients: RDNSS option (RFC 8106)."""
    search: tuple[str, ...] = ()
    """Domains of the site: DNSSL option."""
    nat64: tuple[IPv6Network, ...] = ()
    """NAT64 prefixes: PREF64 options (RFC 8781)."""
    mode: Mode = "certificates"
    hairpin: bool = False
    fixed: Mapping[str, IPv6Address] = field(default_factory=dict)
    """Identity, in lower case -> the address that nobody else may take."""
    paths: tuple[str, ...] = ("/IPHTTPS", "/IPTLS")
    server_header: str = "Microsoft-HTTPAPI/2.0"
    own_framing: bool = True
    vnet_hdr: bool = False
    """Packets to and from TUN have a 10-byte ``virtio_net_hdr`` in front and may be super-packets."""
    coalesce: bool = True
    """With ``vnet_hdr``: join a stock client's TCP segments into super-packets."""
    head_timeout: float = 10.0
    stall_timeout: float = 30.0
    dead_after: float = 60.0
    max_addresses: int = 16
    max_per_identity: int = 4


# Events of the server.


class Opened(NamedTuple):
    """The HTTP exchange is done; the session carries packets."""

    session: int
    identity: str | None
    framing: Framing


class AddressBound(NamedTuple):
    """The client holds one more IPv6 address (16 bytes)."""

    session: int
    address: bytes


class AddressReleased(NamedTuple):
    """The client no longer holds the address."""

    session: int
    address: bytes


class Close(NamedTuple):
    """Send what ``transmit`` returned for the session, then close it; the machine has forgotten it."""

    session: int
    reason: str
    drop: Drop | None = None


ServerEvent = Opened | AddressBound | AddressReleased | Close


# The client.


class ConnectFault(IntEnum):
    """Why a connection failed. Values: the code that Windows shows for the same fault, for log searches."""

    INVALID_URL = 0x4BE
    NO_CERTIFICATE = 0x103
    HOST_NOT_FOUND = 0x2AF9
    NO_PREFIX = 0x2AFC
    TIMED_OUT = 0x274C
    TLS = 0x80090326
    CERTIFICATE_WANTED = 0x90320
    UNTRUSTED_ROOT = 0x800B0109
    OTHER = 0


@dataclass(frozen=True)
class ClientConfig:
    """What the client machine needs to know. Times in seconds."""

    host: str
    path: str = "/IPHTTPS"
    own_framing: bool = True
    """Ask for larger framing; False speaks like a stock client."""
    vnet_hdr: bool = False
    coalesce: bool = True
    stock_retry: bool = False
    """Try again as the specification says (3.1.2.1), after 30 s to 15 min."""
    response_timeout: float = 30.0
    """With ``stock_retry``."""
    check_timeout: float = 2.0
    """For a sign of life when the connection is doubted."""
    stall_timeout: float = 30.0
    dead_after: float = 60.0


class Connect(NamedTuple):
    """Open TCP and TLS to the server after this many seconds (0: now), then call ``connected``.

    ``patience``: seconds for an answer of anybody; ``talk``: for words, once TCP has answered.
    """

    after: float
    patience: float
    talk: float


class Disconnect(NamedTuple):
    """Close the transport; the machine has already given it up."""

    reason: str


class AddressAdded(NamedTuple):
    """Give the device this address (16 bytes, a /64), or change its lifetimes (seconds; 0xffffffff: ever)."""

    address: bytes
    valid: int
    preferred: int


class RouteAdded(NamedTuple):
    """Send this prefix (16 bytes, length) into the device, until ``RouteRemoved``."""

    prefix: bytes
    length: int
    preference: Preference


class LinkUp(NamedTuple):
    """The server answered 200."""

    framing: Framing


class NamesChanged(NamedTuple):
    """The server advertises other DNS servers, domains or NAT64 prefixes than before."""

    names: NamesSeen


class LinkDown(NamedTuple):
    """An established link was lost. ``hint``: how to mend it, when that can be told."""

    reason: str
    hint: str = ""


class Failed(NamedTuple):
    """An attempt failed, or the link is of no use. ``windows_code`` as in :class:`ConnectFault`, 0: none."""

    reason: str
    windows_code: int = ConnectFault.OTHER
    hint: str = ""


Configuration = AddressAdded | AddressRemoved | RouteAdded | RouteRemoved | NamesChanged
ClientEvent = Configuration | Connect | Disconnect | LinkUp | LinkDown | Failed
