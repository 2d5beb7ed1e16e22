"""What the tables of the site file are made of: values with their own checks, and the strict table."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
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
from manageout.site.tables.complaints import Unfit, fits
from manageout.wire.address import rfc6052_octets, written
from manageout.wire.host_port import HostPort
from manageout.wire.special import ILLEGAL4, ILLEGAL6

NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)
_USABLE = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))


class TomlTable(BaseModel):
    """Immutable; an option that it does not know is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: object, info: ValidationInfo) -> object:
        """TOML has numbers and booleans: a text such as "yes" is neither, and a boolean is no number."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        kinds = [kind for kind in (bool, int, float) if kind in (annotation, *get_args(annotation))]
        alike = isinstance(value, str) or isinstance(value, bool) != (bool in kinds)
        if kinds and isinstance(value, str | bool | int) and alike:
            raise Unfit(f"{kinds[0].__name__}_type", value)
        return value


def router_name(name: str) -> str:
    """A unique DNS name for ISATAP routers, or none. Raises :class:`Unfit`, also for the bare ``isatap``."""
    if name.lower() == "isatap" or name.lower().startswith("isatap."):
        raise Unfit("bare_isatap")
    if name:
        _domain(name)
    return name


def _listener(value: str) -> str:
    try:
        host, port = HostPort.parse(value)
    except AddressError as error:
        raise Unfit("bad_address", error) from None
    if not port or (isinstance(host, IPv6Address) and host.scope_id is not None):
        raise Unfit("no_port", value)
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        raise Unfit("mapped_listener", value, meant=f"{host.ipv4_mapped}:{port}")
    return value


def metrics_place(value: str) -> str:
    """Where the metrics are served: loopback, a Unix socket, nowhere. Raises :class:`Unfit`."""
    if value == "off" or value.startswith("unix:/"):
        return value
    try:
        host = HostPort.parse(_listener(value)).address
    except ValueError:
        raise Unfit("no_metrics_place", value) from None
    if not host.is_loopback:
        raise Unfit("open_metrics", host)
    return value


def _nat64_prefix(prefix: IPv6Network) -> IPv6Network:
    try:
        rfc6052_octets(prefix)
    except AddressError as error:
        raise Unfit("bad_address", error) from None
    return prefix


def service(value: str) -> str:
    """What a manager may open: ``any``, ``icmp``, ``tcp/22``, ``udp/5000-5010``. Raises :class:`Unfit`."""
    if value in ("any", "icmp", "tcp", "udp"):
        return value
    match = re.fullmatch(r"(?:tcp|udp)/(\d{1,5})(?:-(\d{1,5}))?", value)
    if not match or not 0 < int(match[1]) <= int(match[2] or match[1]) < 65536:
        raise Unfit("no_service", value)
    return value


def _dns_server(value: str) -> str:
    try:
        ip_address(value)
    except ValueError:
        try:
            return _listener(value)
        except ValueError:
            raise Unfit("no_dns_server", value) from None
    return value


def _domain(value: str) -> str:
    name = value.lower().strip(".")
    labels = name.split(".")
    fine = all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", label) for label in labels)
    if not fine or len(name) > 253 or labels[-1].isdecimal():
        raise Unfit("no_domain", value)
    return name


def _source(value: object) -> IPv4Network | IPv6Network | str:
    """What looks like an address is one, right or wrong; anything else is a name."""
    try:
        return ip_network(str(value))
    except ValueError:
        if not re.search(r"[:/]|^[0-9.]*$", str(value)):
            return _domain(str(value))
        raise Unfit("no_source", value) from None


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
        raise Unfit("no_network", value) from None
    raise Unfit("host_bits", value, meant=meant)


def _is_machine(address: IPv4Address) -> bool:
    return not (address.is_multicast or address.is_loopback or address.is_unspecified or address.is_reserved)


_HOSTS6 = fits("no_hosts6", lambda network: not any(map(network.subnet_of, ILLEGAL6)), written)
_NAT64 = fits("no_nat64_prefix", lambda prefix: prefix.prefixlen in NAT64_LENGTHS)

Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Balancer = Annotated[Network, fits("everybody_balances", lambda network: network.prefixlen > 0)]
Listener = Annotated[str, AfterValidator(_listener)]
Locator = Annotated[IPv4Address, fits("locator_no_machine", _is_machine)]
SitePrefix = Annotated[
    IPv6Network,
    fits("no_site_prefix", lambda prefix: prefix.prefixlen == 48),
    fits("unusable_site_prefix", lambda prefix: any(map(prefix.subnet_of, _USABLE)), written),
]
LinkPrefix = Annotated[IPv6Network, fits("no_link_prefix", lambda prefix: prefix.prefixlen == 64)]
HostNetwork4 = Annotated[
    IPv4Network, fits("no_hosts4", lambda network: not any(map(network.subnet_of, ILLEGAL4)))
]
HostNetwork6 = Annotated[IPv6Network, _HOSTS6]
Nat64Prefix = Annotated[IPv6Network, _HOSTS6, _NAT64, AfterValidator(_nat64_prefix)]
Pool = Annotated[
    IPv4Network,
    fits("no_pool", lambda pool: 8 <= pool.prefixlen <= 30),
    fits("unusable_pool", lambda pool: not any(map(pool.overlaps, ILLEGAL4))),
]
DnsServer = Annotated[str, AfterValidator(_dns_server)]
Domain = Annotated[str, AfterValidator(_domain)]
Service = Annotated[str, AfterValidator(service)]
Source = Annotated[IPv4Network | IPv6Network | str, PlainValidator(_source)]
