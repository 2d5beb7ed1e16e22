"""Site file -> the record of the ISATAP router's name: where, signed how, with which addresses."""

from ipaddress import IPv4Address

from manageout.directory.dns.router_record import Addresses, RouterRecord
from manageout.errors import ConfigError, Fault
from manageout.service.names.names import signer_of, zones_of
from manageout.site.tables.site import Site


def complete(site: Site, name: str) -> str:
    """``name`` with the site's domain if it has none. Raises :class:`ConfigError` when there is no domain."""
    if "." in name.strip("."):
        return name.strip(".")
    if not site.site.domain:
        why, hint = f"is required for the name {name!r}", 'for example domain = "corp.example"'
        raise ConfigError("site file", [Fault("site.domain", why, hint)])
    return f"{name.strip('.')}.{site.site.domain}"


def mark_of(site: Site) -> str:
    """Not the mark of clients' names: none of them may take this one over, nor be swept with it."""
    return f"manageout router {site.site.prefix}"


def record_of(site: Site, name: str) -> RouterRecord:
    """The record of ``name``. Raises :class:`ConfigError` without ``[names]``, and for a key that cannot be used."""
    table = site.names
    if table is None:
        hint = 'for example servers = ["10.0.0.10"], authentication = "tsig", key_file = "..."'
        raise ConfigError("site file", [Fault("names", "is required: it says where updates go", hint)])
    return RouterRecord(zones_of(site), signer_of(table), mark_of(site), table.ttl, complete(site, name))


def routers_of(site: Site) -> tuple[IPv4Address, ...]:
    """Every ISATAP router of the site. Raises :class:`ConfigError` without an ``[isatap]`` table."""
    if site.isatap is None:
        hint = 'the routers\' addresses, for example [isatap] with locators = ["10.0.0.5"]'
        raise ConfigError("site file", [Fault("isatap", "is required", hint)])
    return (*site.isatap.locators, *site.isatap.routers)


def addresses_of(site: Site) -> Addresses:
    """The same, as a record has them."""
    return frozenset(routers_of(site))
