"""TOML file -> frozen :class:`Site`; every fault at once, each with its dotted path and a hint.

The file says who we are and which roles this machine takes: a ``[gateway]`` table makes it a gateway, an
``[isatap]`` table makes it an ISATAP router, both make it both. Everything else has a default.
"""

from __future__ import annotations

import re
import tomllib
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from manageout.errors import ConfigError, Fault
from manageout.faults import Unfit, describe

Preference = Literal["low", "medium", "high"]


_USABLE = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def _not_bare_isatap(name: str) -> str:
    if name.lower() == "isatap" or name.lower().startswith("isatap."):
        raise Unfit(
            "every Windows host looks for the name 'isatap', and DNS servers block it",
            "choose a unique one, for example manageout-isatap.corp.example",
        )
    return name


def _listener(value: str) -> str:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+):(\d{1,5})", value)
    try:
        if not match or not 0 < int(match[2]) < 65536:
            raise ValueError
        (IPv6Address if match[1].startswith("[") else IPv4Address)(match[1].strip("[]"))
    except ValueError:
        raise Unfit(f"{value!r} is not ADDRESS:PORT", "for example 0.0.0.0:443 or [::]:443") from None
    return value


def _metrics(value: str) -> str:
    hint = 'write "127.0.0.1:9464", "[::1]:9464", "unix:/run/manageout/metrics.sock" or "off"'
    if value == "off" or value.startswith("unix:/"):
        return value
    try:
        host = _listener(value).rpartition(":")[0]
    except ValueError:
        raise Unfit(f"{value!r} is not a place for the metrics", hint) from None
    if not ip_address(host.strip("[]")).is_loopback:
        raise Unfit(f"{host} is not a loopback address, and metrics have no password", hint)
    return value


def _site_prefix(prefix: IPv6Network) -> IPv6Network:
    example = "`manageout plan --new` proposes one"
    if prefix.prefixlen != 48:
        raise Unfit(f"the site prefix is a /48, this is a /{prefix.prefixlen}", example)
    if not any(prefix.subnet_of(space) for space in _USABLE):
        raise Unfit(f"{prefix} is neither global (2000::/3) nor unique local (fc00::/7)", example)
    return prefix


def _subnet64(prefix: IPv6Network) -> IPv6Network:
    if prefix.prefixlen != 64:
        raise Unfit(
            f"a link prefix is a /64, this is a /{prefix.prefixlen}", "addresses form themselves in a /64"
        )
    return prefix


Listener = Annotated[str, AfterValidator(_listener)]
LinkPrefix = Annotated[IPv6Network, AfterValidator(_subnet64)]


class SiteTable(_Table):
    """``[site]``: the intranet."""

    name: str = "site"
    """For people."""
    prefix: Annotated[IPv6Network, AfterValidator(_site_prefix)]
    """The intranet's /48: its own, a 6to4 one, or a random unique local one (`manageout plan --new`)."""
    domain: str = ""
    """DNS suffix of the intranet, for example ``corp.example``."""


class IpHttpsTable(_Table):
    """``[gateway.iphttps]``: limits and time-outs of the listener. Times in seconds."""

    server_header: str = "Microsoft-HTTPAPI/2.0"
    """What the listener calls itself in HTTP."""
    paths: tuple[str, ...] = ("/IPHTTPS", "/IPTLS")
    """URL paths that are answered; upper and lower case are the same."""
    own_framing: bool = True
    """Offer larger packets to our own clients; a stock client never sees it."""
    max_connections: Annotated[int, Field(ge=1, le=65536)] = 4096
    """Clients at a time."""
    max_per_source: Annotated[int, Field(ge=1)] = 256
    """Connections from one IPv4 address or IPv6 /64 (many clients may share a NAT)."""
    max_handshakes: Annotated[int, Field(ge=1)] = 1024
    """Connections before the end of their HTTP head; above max_per_source, or one source locks out all."""
    handshake_timeout: Annotated[float, Field(gt=0)] = 10.0
    """For TLS."""
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


class GatewayTable(_Table):
    """``[gateway]``: this machine terminates the tunnels of remote clients."""

    node: Annotated[int, Field(ge=0, le=31)] = 0
    """Number of this gateway in a cluster; it numbers the client prefix."""
    listen: Annotated[tuple[Listener, ...], Field(min_length=1)] = ("0.0.0.0:443",)
    """Where clients connect: ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``."""
    certificate: Path
    """PEM file: our certificate, then its intermediates."""
    key: Path
    """PEM file: the key of the certificate. The daemon's user must own it."""
    authentication: Literal["certificates", "none"] = "certificates"
    """``none`` lets everybody in who reaches the port."""
    client_ca: Annotated[Path | None, Field(validate_default=True)] = None
    """PEM file: the CA that signs the certificates of clients."""
    client_crl: Path | None = None
    """PEM file: certificates of that CA that are revoked."""
    allow: tuple[str, ...] = ("*",)
    """Certificate names (with * and ?) that may connect."""
    fixed: dict[str, IPv6Address] = {}
    """Certificate name -> the one address that client gets on the link (its /64 must be the node's)."""
    prefix: LinkPrefix | None = None
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
            raise Unfit(
                'authentication = "certificates" needs it',
                "name the file with the CA that signs your clients' certificates",
            )
        return value


class RouteTable(_Table):
    """``[[isatap.routes]]``: a client prefix that another machine owns."""

    prefix: IPv6Network
    """The client prefix."""
    via: IPv6Address
    """Next hop towards it, on a link of this machine."""


class IsatapTable(_Table):
    """``[isatap]``: this machine is an ISATAP router (RFC 5214)."""

    name: Annotated[str, AfterValidator(_not_bare_isatap)] = ""
    """The DNS name that chosen hosts resolve; never the bare ``isatap``."""
    locators: Annotated[tuple[IPv4Address, ...], Field(min_length=1, max_length=8)]
    """Our own intranet IPv4 addresses; hosts send protocol 41 to one of them."""
    hosts: tuple[IPv4Network, ...] = ()
    """Only these are answered and forwarded; empty means nobody."""
    routers: tuple[IPv4Address, ...] = ()
    """The other ISATAP routers of this site (the rest of the potential router list)."""
    prefix: LinkPrefix | None = None
    """The /64 of the ISATAP link; derived from the site prefix when left out."""
    routes: tuple[RouteTable, ...] = ()
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
    """Size of the registry."""
    max_drop_sources: Annotated[int, Field(ge=16, le=1000000)] = 4096
    """Sources that are counted one by one in `manageout drops`."""
    rs_per_second: Annotated[int, Field(ge=1)] = 100000
    """Router solicitations answered in a second."""
    retired: tuple[LinkPrefix, ...] = ()
    """Former link prefixes: advertised with lifetime 0, so that hosts drop their addresses in them."""
    farewell: bool = False
    """At a clean stop, tell every active host that prefix and routes are gone. Off: a restart goes unnoticed."""
    forget_after: Annotated[int, Field(ge=60)] = 90 * 86400
    """Seconds without a sign of life after which a host leaves the registry."""

    @field_validator("prefix_preferred")
    @classmethod
    def _preferred_within_valid(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("prefix_valid", value):
            raise Unfit("must not exceed prefix_valid", f"at most {info.data['prefix_valid']}")
        return value


class PolicyTable(_Table):
    """``[policy]``: what is allowed."""

    hairpin: bool = False
    """Clients may talk to other clients of this gateway, also by link-local addresses."""


class DaemonTable(_Table):
    """``[daemon]``: where the daemon keeps and shows things."""

    state_dir: Path = Path("/var/lib/manageout")
    """The registry of ISATAP hosts is kept here."""
    runtime_dir: Path = Path("/run/manageout")
    """The control socket is here; one daemon a directory."""
    metrics: Annotated[str, AfterValidator(_metrics)] = "127.0.0.1:9464"
    """For Prometheus: ``ADDRESS:PORT`` on loopback, ``unix:/path``, or ``off``."""
    fast_path: bool = True
    """Use eBPF where the kernel can."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What goes to the log."""


class Site(_Table):
    """One site, one file."""

    site: SiteTable
    gateway: GatewayTable | None = None
    isatap: IsatapTable | None = None
    policy: PolicyTable = PolicyTable()
    daemon: DaemonTable = DaemonTable()

    @model_validator(mode="after")
    def _at_least_one_role(self) -> Site:
        if self.gateway is None and self.isatap is None:
            raise Unfit("no role", "add a [gateway] table, an [isatap] table, or both")
        return self


def parse(text: str, source: str = "site.toml") -> Site:
    """Read a site from TOML text.

    Raises :class:`ConfigError` with every fault found; ``source`` names the text in messages.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fault = Fault("(file)", f"not valid TOML: {error}", "values need quotes unless they are numbers")
        raise ConfigError(source, [fault]) from None
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
        hint = "give the file with --config, or create it: see docs/guide/first-site.md"
        raise ConfigError(str(path), [Fault("(file)", f"cannot be read: {reason}", hint)]) from None
    return parse(text, str(path))
