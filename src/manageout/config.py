"""TOML file -> frozen :class:`Site`; every fault at once, each with its dotted path and a hint.

The file says who we are and which roles this machine takes: a ``[gateway]`` table makes it a gateway, an
``[isatap]`` table makes it an ISATAP router, both make it both. Everything else has a default.
"""

from __future__ import annotations

import re
import tomllib
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from manageout.errors import ConfigError, Fault

Preference = Literal["low", "medium", "high"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def _not_bare_isatap(name: str) -> str:
    if name.lower() == "isatap" or name.lower().startswith("isatap."):
        raise ValueError(
            "the name 'isatap' is found by every Windows host and is on the DNS query block list; "
            "choose a unique one, for example manageout-isatap.corp.example"
        )
    return name


def _listener(value: str) -> str:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+):(\d{1,5})", value)
    if not match or not 0 < int(match[2]) < 65536:
        raise ValueError("write ADDRESS:PORT, for example 0.0.0.0:443 or [::]:443")
    host = match[1].strip("[]")
    (IPv6Address if ":" in host else IPv4Address)(host)
    return value


def _site_prefix(prefix: IPv6Network) -> IPv6Network:
    if prefix.prefixlen != 48:
        raise ValueError(f"the site prefix is a /48, this is a /{prefix.prefixlen}")
    return prefix


def _subnet64(prefix: IPv6Network) -> IPv6Network:
    if prefix.prefixlen != 64:
        raise ValueError(f"a link prefix is a /64, this is a /{prefix.prefixlen}")
    return prefix


Listener = Annotated[str, AfterValidator(_listener)]
LinkPrefix = Annotated[IPv6Network, AfterValidator(_subnet64)]


class SiteTable(_Table):
    """``[site]``: the intranet."""

    name: str = "site"
    prefix: Annotated[IPv6Network, AfterValidator(_site_prefix)]
    domain: str = ""
    """DNS suffix of the intranet, for example ``corp.example``."""


class IpHttpsTable(_Table):
    """``[gateway.iphttps]``: limits and time-outs of the listener. Times in seconds."""

    server_header: str = "Microsoft-HTTPAPI/2.0"
    paths: tuple[str, ...] = ("/IPHTTPS", "/IPTLS")
    own_framing: bool = True
    """Offer larger packets to our own clients; a stock client never sees it."""
    max_connections: Annotated[int, Field(ge=1, le=65536)] = 4096
    max_per_source: Annotated[int, Field(ge=1)] = 256
    """Connections from one IPv4 address or IPv6 /64 (many clients may share a NAT)."""
    max_handshakes: Annotated[int, Field(ge=1)] = 256
    """Connections that have not yet finished TLS and the HTTP head."""
    handshake_timeout: Annotated[float, Field(gt=0)] = 10.0
    head_timeout: Annotated[float, Field(gt=0)] = 10.0
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
    listen: tuple[Listener, ...] = ("0.0.0.0:443",)
    certificate: Path
    key: Path
    authentication: Literal["certificates", "none"] = "certificates"
    client_ca: Path | None = None
    client_crl: Path | None = None
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

    @model_validator(mode="after")
    def _certificates_need_a_ca(self) -> GatewayTable:
        if self.authentication == "certificates" and self.client_ca is None:
            raise ValueError(
                'authentication = "certificates" needs client_ca: the file with the CA that signs your clients'
            )
        return self


class RouteTable(_Table):
    """``[[isatap.routes]]``: a client prefix that another machine owns."""

    prefix: IPv6Network
    via: IPv6Address


class IsatapTable(_Table):
    """``[isatap]``: this machine is an ISATAP router (RFC 5214)."""

    name: Annotated[str, AfterValidator(_not_bare_isatap)] = ""
    """The DNS name that chosen hosts resolve; never the bare ``isatap``."""
    locators: Annotated[tuple[IPv4Address, ...], Field(min_length=1)]
    """Our own intranet IPv4 addresses; hosts send protocol 41 to one of them."""
    hosts: tuple[IPv4Network, ...] = ()
    """Only these are answered and forwarded; empty means nobody."""
    routers: tuple[IPv4Address, ...] = ()
    """The other ISATAP routers of this site (the rest of the potential router list)."""
    prefix: LinkPrefix | None = None
    routes: tuple[RouteTable, ...] = ()
    advertise: tuple[IPv6Network, ...] = ()
    """Prefixes in Route Information options; the client prefixes when left out."""
    preference: Preference = "medium"
    default_route: bool = False
    """Advertise ourselves as a default router. Off: only client prefixes go through us."""
    router_lifetime: Annotated[int, Field(ge=0, le=9000)] = 1800
    """Seconds; used for Route Information, and for the router itself when default_route is on."""
    prefix_valid: Annotated[int, Field(ge=60)] = 86400
    prefix_preferred: Annotated[int, Field(ge=60)] = 14400
    mtu: Annotated[int, Field(ge=1280, le=1480)] = 1280
    max_hosts: Annotated[int, Field(ge=1, le=1000000)] = 131072
    max_drop_sources: Annotated[int, Field(ge=16, le=1000000)] = 4096
    rs_per_second: Annotated[int, Field(ge=1)] = 100000
    retired: tuple[LinkPrefix, ...] = ()
    """Former link prefixes: advertised with lifetime 0, so that hosts drop their addresses in them."""
    farewell: bool = False
    """At a clean stop, tell every active host that prefix and routes are gone. Off: a restart goes unnoticed."""
    forget_after: Annotated[int, Field(ge=60)] = 90 * 86400
    """Seconds without a sign of life after which a host leaves the registry."""

    @model_validator(mode="after")
    def _preferred_within_valid(self) -> IsatapTable:
        if self.prefix_preferred > self.prefix_valid:
            raise ValueError("prefix_preferred must not exceed prefix_valid")
        return self


class PolicyTable(_Table):
    """``[policy]``."""

    hairpin: bool = False
    """Clients may open connections to other clients of this gateway."""


class DaemonTable(_Table):
    """``[daemon]``: where the daemon keeps and shows things."""

    state_dir: Path = Path("/var/lib/manageout")
    runtime_dir: Path = Path("/run/manageout")
    metrics: str = "127.0.0.1:9464"
    """``ADDRESS:PORT`` on loopback, ``unix:/path``, or ``off``."""
    fast_path: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"


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
            raise ValueError("no role: add a [gateway] table, an [isatap] table, or both")
        return self


_HINTS = {
    "extra_forbidden": "remove it, or check the spelling against `manageout check --reference`",
    "missing": "add it",
}


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
        faults = [
            Fault(
                ".".join(str(part) for part in item["loc"]) or "(file)",
                item["msg"].removeprefix("Value error, "),
                _HINTS.get(item["type"], ""),
            )
            for item in error.errors(include_url=False)
        ]
        raise ConfigError(source, faults) from None


def load(path: Path) -> Site:
    """Read a site file. Raises :class:`ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "give the file with --config, or create it: see docs/guide/first-site.md"
        raise ConfigError(str(path), [Fault("(file)", f"cannot be read: {error}", hint)]) from None
    return parse(text, str(path))
