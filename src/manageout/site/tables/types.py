"""What the tables of the site file are made of: values with their own checks, and the strict table."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    field_validator,
)

from manageout.errors import AddressError
from manageout.site.tables.complaints import Unfit
from manageout.wire.address import rfc6052_octets, written
from manageout.wire.host_port import HostPort
from manageout.wire.special import ILLEGAL4, ILLEGAL6

NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)
_USABLE = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))


_LIKE = {
    bool: ("neither true nor false", "write true or false, without quotes"),
    int: ("not a whole number", "write digits only, without quotes"),
    float: ("not a number", "write it without quotes"),
}


class TomlTable(BaseModel):
    """Immutable; an option that it does not know is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: object, info: ValidationInfo) -> object:
        """TOML has numbers and booleans: a text such as "yes" is neither, and a boolean is no number."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        kinds = {bool, int, float} & {annotation, *get_args(annotation)}
        alike = isinstance(value, str) or isinstance(value, bool) != (bool in kinds)
        if kinds and isinstance(value, str | bool | int) and alike:
            what, hint = next(words for kind, words in _LIKE.items() if kind in kinds)
            raise Unfit(f"{value!r} is {what}", hint)
        return value


def router_name(name: str) -> str:
    """A unique DNS name for ISATAP routers, or none. Raises :class:`Unfit`, also for the bare ``isatap``."""
    if name.lower() == "isatap" or name.lower().startswith("isatap."):
        raise Unfit(
            "every Windows host looks for the name 'isatap', and DNS servers block it",
            "choose a unique one, for example manageout-isatap.corp.example",
        )
    if name:
        _domain(name)
    return name


def _listener(value: str) -> str:
    try:
        host, port = HostPort.parse(value)
    except AddressError as error:
        raise Unfit(error.message, error.hint) from None
    if not port or (isinstance(host, IPv6Address) and host.scope_id is not None):
        raise Unfit(f"{value!r} has no port, or a zone", "for example 0.0.0.0:443 or [::]:443")
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        raise Unfit(f"{value!r} is an IPv4 address", f"write {host.ipv4_mapped}:{port}")
    return value


def metrics_place(value: str) -> str:
    """Where the metrics are served: loopback, a Unix socket, nowhere. Raises :class:`Unfit`."""
    hint = 'write "127.0.0.1:9464", "[::1]:9464", "unix:/run/manageout/metrics.sock" or "off"'
    if value == "off" or value.startswith("unix:/"):
        return value
    try:
        host = HostPort.parse(_listener(value)).address
    except ValueError:
        raise Unfit(f"{value!r} is not a place for the metrics", hint) from None
    if not host.is_loopback:
        raise Unfit(f"{host} is not a loopback address, and metrics have no password", hint)
    return value


def site_prefix(prefix: IPv6Network) -> IPv6Network:
    """A usable /48. Raises :class:`Unfit`."""
    example = "`manageout plan --new` proposes one"
    if prefix.prefixlen != 48:
        raise Unfit(f"the site prefix is a /48, this is a /{prefix.prefixlen}", example)
    if not any(prefix.subnet_of(space) for space in _USABLE):
        raise Unfit(f"{written(prefix)} is neither global (2000::/3) nor unique local (fc00::/7)", example)
    return prefix


def _subnet64(prefix: IPv6Network) -> IPv6Network:
    if prefix.prefixlen != 64:
        raise Unfit(
            f"a link prefix is a /64, this is a /{prefix.prefixlen}", "addresses form themselves in a /64"
        )
    return prefix


def _hosts4(network: IPv4Network) -> IPv4Network:
    if any(network.subnet_of(each) for each in ILLEGAL4):
        raise Unfit(f"{network} holds no addresses of machines", "for example 10.0.8.0/24")
    return network


def _hosts6(network: IPv6Network) -> IPv6Network:
    if any(network.subnet_of(each) for each in ILLEGAL6):
        raise Unfit(
            f"{written(network)} holds no addresses of machines", "for example one of the site prefix"
        )
    return network


def _nat64_prefix(prefix: IPv6Network) -> IPv6Network:
    if prefix.prefixlen not in NAT64_LENGTHS:
        lengths = ", ".join(map(str, NAT64_LENGTHS))
        raise Unfit(f"a /{prefix.prefixlen} is no NAT64 prefix", f"its length is one of {lengths} (RFC 6052)")
    try:
        rfc6052_octets(prefix)
    except AddressError as error:
        raise Unfit(error.message, error.hint) from None
    return prefix


def service(value: str) -> str:
    """What a manager may open: ``any``, ``icmp``, ``tcp/22``, ``udp/5000-5010``. Raises :class:`Unfit`."""
    if value in ("any", "icmp", "tcp", "udp"):
        return value
    match = re.fullmatch(r"(?:tcp|udp)/(\d{1,5})(?:-(\d{1,5}))?", value)
    if not match or not 0 < int(match[1]) <= int(match[2] or match[1]) < 65536:
        raise Unfit(
            f"{value!r} is no protocol and port", 'write "tcp/3389", "udp/5000-5010", "icmp" or "any"'
        )
    return value


def _dns_server(value: str) -> str:
    try:
        ip_address(value)
    except ValueError:
        try:
            return _listener(value)
        except ValueError:
            raise Unfit(
                f"{value!r} is no address of a DNS server", "for example 10.0.0.10 or [fd12::1]:53"
            ) from None
    return value


def _domain(value: str) -> str:
    name = value.lower().strip(".")
    labels = name.split(".")
    fine = all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", label) for label in labels)
    if not fine or len(name) > 253 or labels[-1].isdecimal():
        raise Unfit(f"{value!r} is no DNS name", "for example corp.example")
    return name


def _source(value: object) -> IPv4Network | IPv6Network | str:
    """What looks like an address is one, right or wrong; anything else is a name."""
    try:
        return ip_network(str(value))
    except ValueError:
        if not re.search(r"[:/]|^[0-9.]*$", str(value)):
            return _domain(str(value))
        raise Unfit(
            f"{value!r} is no network, address or DNS name",
            "for example 10.0.1.0/24 or helpdesk.corp.example",
        ) from None


def _network(value: object) -> object:
    """One complaint about a network of either family, not one for each."""
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        raise Unfit(
            f"{value!r} is no network or address", "for example 10.0.1.0/24 or fd12:3456:789a::/48"
        ) from None
    raise Unfit(f"{value!r} has bits set behind the prefix", f"write {meant}")


def _balancer(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if not network.prefixlen:
        raise Unfit(
            f"{network} is everybody, who could then claim any address", "name the balancers' own addresses"
        )
    return network


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Balancer = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network), AfterValidator(_balancer)]
Listener = Annotated[str, AfterValidator(_listener)]
LinkPrefix = Annotated[IPv6Network, AfterValidator(_subnet64)]
HostNetwork4 = Annotated[IPv4Network, AfterValidator(_hosts4)]
HostNetwork6 = Annotated[IPv6Network, AfterValidator(_hosts6)]
Nat64Prefix = Annotated[IPv6Network, AfterValidator(_hosts6), AfterValidator(_nat64_prefix)]
DnsServer = Annotated[str, AfterValidator(_dns_server)]
Domain = Annotated[str, AfterValidator(_domain)]
Service = Annotated[str, AfterValidator(service)]
Source = Annotated[IPv4Network | IPv6Network | str, PlainValidator(_source)]
