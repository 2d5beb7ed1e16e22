"""TOML file -> frozen :class:`Site`; every fault at once, each with its dotted path and a hint.

The file says who we are and which roles this machine takes: a ``[gateway]`` table makes it a gateway, an
``[isatap]`` table makes it an ISATAP router, both make it both. Everything else has a default.
"""

import tomllib
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from manageout.errors import ConfigError, Fault
from manageout.site.tables import types
from manageout.site.tables.complaints import Unfit, describe, worded
from manageout.site.tables.names import Dns64Table, NamesTable
from manageout.site.tables.rollout import RolloutTable
from manageout.site.tables.translation import PolicyTable, TranslationTable

Preference = Literal["low", "medium", "high"]

_T = TypeVar("_T")


class SiteTable(types.TomlTable):
    """``[site]``: the intranet."""

    name: str = "site"
    """For people."""
    prefix: types.SitePrefix
    """The intranet's /48: its own, a 6to4 one, or a random unique local one (`manageout plan --new`)."""
    domain: types.Domain = ""
    """DNS suffix of the intranet, for example ``corp.example``."""


class IpHttpsTable(types.TomlTable):
    """``[gateway.iphttps]``: limits and time-outs of the listener. Times in seconds."""

    server_header: str = "Microsoft-HTTPAPI/2.0"
    """What the listener calls itself in HTTP."""
    paths: tuple[str, ...] = ("/IPHTTPS", "/IPTLS")
    """URL paths that are answered; upper and lower case are the same."""
    own_framing: bool = True
    """Offer larger packets to our own clients; a stock client never sees it."""
    proxies: tuple[types.Balancer, ...] = ()
    """Networks of balancers; they, and nobody else, must say by PROXY protocol version 2 for whom they connect."""
    max_connections: Annotated[int, Field(ge=1, le=65536)] = 4096
    """Clients at a time."""
    max_per_source: Annotated[int, Field(ge=1)] = 1024
    """Connections from one IPv4 address or IPv6 /64 (many clients may share a NAT)."""
    max_per_certificate: Annotated[int, Field(ge=1)] = 4
    """Connections with one name in their certificates; a newer one ends the oldest."""
    max_handshakes: Annotated[int, Field(ge=1)] = 1024
    """Connections before the end of their HTTP head; above that, the oldest of the source that has most gives way."""
    handshake_timeout: Annotated[float, Field(gt=0)] = 10.0
    """For TLS; 2 s at most while half of max_handshakes are on their way."""
    head_timeout: Annotated[float, Field(gt=0)] = 10.0
    """For the HTTP head after TLS."""
    stall_timeout: Annotated[float, Field(gt=0)] = 30.0
    """A packet that stays half received this long ends the session."""
    dead_after: Annotated[float, Field(gt=0)] = 60.0
    """Silence after which the peer is probed, and half as long again until it is dropped."""
    max_addresses: Annotated[int, Field(ge=2, le=256)] = 16
    """IPv6 addresses that one client may hold."""
    send_buffer: Annotated[int, Field(ge=65536)] = 1048576
    """Bytes queued for one slow client before packets to it are dropped."""


class GatewayTable(types.TomlTable):
    """``[gateway]``: this machine terminates the tunnels of remote clients."""

    node: Annotated[int, Field(ge=0, le=31)] = 0
    """Number of this gateway in a cluster; it numbers the client prefix."""
    listen: Annotated[tuple[types.Listener, ...], Field(min_length=1)] = ("0.0.0.0:443",)
    """Where clients connect: ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``."""
    certificate: Path
    """PEM file: our certificate, then its intermediates."""
    key: Path
    """PEM file: the key of the certificate. The daemon's user must own it."""
    authentication: Literal["certificates", "none"] = "certificates"
    """``none`` lets everybody in who reaches the port."""
    client_ca: Annotated[Path | None, Field(validate_default=True)] = None
    """PEM file: the CAs that sign the certificates of clients, up to the root."""
    client_crl: Path | None = None
    """PEM file: the revocation lists of that CA and of those below it, one after the other."""
    common_name: bool = False
    """Take a certificate without any DNS name in its SAN by its common name, if that is a DNS name."""
    allow: tuple[str, ...] = ("*",)
    """Certificate names (with * and ?) that may connect; the first DNS name of a certificate counts."""
    fixed: dict[str, IPv6Address] = Field(default_factory=dict)
    """Certificate name -> the one address that client gets on the link (its /64 must be the node's)."""
    prefix: types.LinkPrefix | None = None
    """Client link prefix of this node; derived from the site prefix when left out."""
    routes: tuple[IPv6Network, ...] = ()
    """Prefixes that clients send into the tunnel; the site prefix when left out."""
    isatap_router: IPv6Address | None = None
    """Next hop towards the ISATAP link when the router is another machine."""
    iphttps: IpHttpsTable = IpHttpsTable()
    """The ``[gateway.iphttps]`` table."""

    @field_validator("client_ca")
    @classmethod
    def _certificates_need_a_ca(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("authentication") == "certificates":
            raise Unfit("ca_needed")
        return value


class IsatapRouteTable(types.TomlTable):
    """``[[isatap.routes]]``: a client prefix that another machine owns."""

    prefix: IPv6Network
    """The client prefix."""
    via: IPv6Address
    """Next hop towards it, on a link of this machine."""


class IsatapTable(types.TomlTable):
    """``[isatap]``: this machine is an ISATAP router (RFC 5214)."""

    name: Annotated[str, AfterValidator(types.router_name)] = ""
    """The DNS name that chosen hosts resolve; never the bare ``isatap``."""
    locators: Annotated[tuple[types.Locator, ...], Field(min_length=1, max_length=8)]
    """Our own intranet IPv4 addresses; hosts send protocol 41 to one of them."""
    hosts: tuple[IPv4Network, ...] = ()
    """Only these are answered and forwarded; empty means nobody."""
    routers: tuple[IPv4Address, ...] = ()
    """The other ISATAP routers of this site. Their hosts may call from where a route leads to them, not the default."""
    prefix: types.LinkPrefix | None = None
    """The /64 of the ISATAP link; derived from the site prefix when left out."""
    routes: tuple[IsatapRouteTable, ...] = ()
    """``[[isatap.routes]]`` tables: client prefixes of gateways on other machines."""
    advertise: tuple[IPv6Network, ...] = ()
    """Prefixes in Route Information options; the client prefixes when left out."""
    preference: Preference = "medium"
    """Of this router, where there are several."""
    default_route: bool = False
    """Advertise ourselves as a default router. Off: only client prefixes go through us."""
    router_lifetime: Annotated[int, Field(ge=0, le=9000)] = 1800
    """Seconds; used for Route Information, and for the router itself when default_route is on."""
    prefix_valid: Annotated[int, Field(ge=60)] = 86400
    """Seconds that a host keeps its address without hearing from us."""
    prefix_preferred: Annotated[int, Field(ge=60)] = 14400
    """Seconds that it uses the address for new connections; not more than prefix_valid."""
    mtu: Annotated[int, Field(ge=1280, le=1480)] = 1280
    """Of the ISATAP link; 20 bytes less than every IPv4 path has, or 1280."""
    max_hosts: Annotated[int, Field(ge=1, le=1000000)] = 131072
    """Size of the registry; when it is full, the host that was silent for the longest time makes way."""
    max_drop_sources: Annotated[int, Field(ge=16, le=1000000)] = 4096
    """Sources that are counted one by one in `manageout drops`."""
    rs_per_second: Annotated[int, Field(ge=1)] = 100000
    """Router solicitations answered in a second."""
    retired: tuple[types.LinkPrefix, ...] = ()
    """Former link prefixes: advertised with lifetime 0, so that hosts drop their addresses in them."""
    farewell: bool = False
    """At a clean stop, tell every active host that prefix and routes are gone. Off: a restart goes unnoticed."""
    retire_evidence: Annotated[int, Field(ge=0)] = 7 * 86400
    """Seconds that each step of `manageout retire` must have been observed before the next one."""
    forget_after: Annotated[int, Field(ge=60)] = 90 * 86400
    """Seconds without a sign of life after which a host leaves the registry."""

    @field_validator("prefix_preferred")
    @classmethod
    def _preferred_within_valid(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("prefix_valid", value):
            raise Unfit("preferred_too_long", valid=info.data["prefix_valid"])
        return value


class DaemonTable(types.TomlTable):
    """``[daemon]``: where the daemon keeps and shows things."""

    state_dir: Path = Path("/var/lib/manageout")
    """The registry of ISATAP hosts, leases with their audit log, names, and who called clients are kept here."""
    runtime_dir: Path = Path("/run/manageout")
    """The control socket is here; one daemon a directory."""
    metrics: Annotated[str, AfterValidator(types.metrics_place)] = "127.0.0.1:9464"
    """For Prometheus: ``ADDRESS:PORT`` on loopback, ``unix:/path``, or ``off``."""
    usage_days: Annotated[int, Field(ge=0, le=3650)] = 90
    """Days that it is kept who calls clients, for `manageout retire`; then it goes bit by bit. 0: not recorded."""
    fast_path: bool = True
    """Use eBPF where the kernel can."""
    orphan: Annotated[int, Field(ge=0, le=3600)] = 60
    """Seconds for which flows of the fast path go on while the daemon is killed or restarted. 0: they end with it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What goes to the log."""


class Site(types.TomlTable):
    """One site, one file."""

    site: SiteTable
    gateway: GatewayTable | None = None
    isatap: IsatapTable | None = None
    translation: TranslationTable | None = None
    dns64: Dns64Table | None = None
    names: NamesTable | None = None
    policy: PolicyTable = PolicyTable()
    rollout: RolloutTable | None = None
    daemon: DaemonTable = DaemonTable()

    @model_validator(mode="after")
    def _at_least_one_role(self) -> Self:
        if self.gateway is None and self.isatap is None:
            raise Unfit("no_role")
        return self


def needed(table: _T | None) -> _T:
    """A table of the site file, for a role that is made because of it; no reload takes it away."""
    assert table is not None, "the daemon makes roles by their tables, and refuses a reload without one"
    return table


def parse(text: str, source: str = "site.toml") -> Site:
    """Read a site from TOML text.

    Raises :class:`ConfigError` with every fault found; ``source`` names the text in messages.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, [Fault("(file)", *worded("no_toml", reason=error))]) from None
    except (ValueError, RecursionError):  # what tomllib leaves to Python
        raise ConfigError(source, [Fault("(file)", *worded("too_much_toml"))]) from None
    try:
        return Site.model_validate(data)
    except ValidationError as error:
        raise ConfigError(source, describe(error, Site)) from None


def load(path: Path) -> Site:
    """Read a site file. Raises :class:`ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(str(path), [Fault("(file)", *worded("unreadable", reason=reason))]) from None
    return parse(text, str(path))
