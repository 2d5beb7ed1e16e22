"""The tables ``[dns64]`` and ``[names]``: what clients resolve, and how clients are found by name."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from manageout.site.tables.complaints import Unfit
from manageout.site.tables.types import DnsServer, Domain, Nat64Prefix, TomlTable


class Dns64PrefixTable(TomlTable):
    """``[[dns64.prefixes]]``: a NAT64 prefix and the IPv4 addresses that are reached through it."""

    prefix: Nat64Prefix
    """NAT64 prefix (RFC 6052), of this gateway or of another translator."""
    ipv4: tuple[IPv4Network, ...] = (IPv4Network("0.0.0.0/0"),)
    """Only for these addresses."""


class Dns64Table(TomlTable):
    """``[dns64]``: names for IPv6-only clients (RFC 6147), from the intranet's DNS servers."""

    upstreams: Annotated[tuple[DnsServer, ...], Field(min_length=1, max_length=8)]
    """The intranet's DNS servers, the preferred one first."""
    prefixes: tuple[Dns64PrefixTable, ...] = ()
    """``[[dns64.prefixes]]`` tables; the gateway's own NAT64 prefix for everything when left out."""
    exclude_prefixes: tuple[IPv6Network, ...] = (IPv6Network("::ffff:0:0/96"),)
    """AAAA records in these count as absent (RFC 6147 5.1.4); the NAT64 prefixes always do."""
    exclude_domains: tuple[Domain, ...] = ()
    """Nothing is synthesised for these names and what is below them."""
    exclude_clients: tuple[str, ...] = ()
    """Nothing is synthesised for clients with these certificate names (with * and ?)."""
    blocked: tuple[Domain, ...] = ("isatap", "wpad")
    """Names that do not exist for clients, bare or in the site's domain: the query block list."""
    cache_size: Annotated[int, Field(ge=0, le=1000000)] = 20000
    """Answers that are kept."""
    serve_stale: Annotated[float, Field(ge=0)] = 0.0
    """Seconds that an expired answer is still given while no DNS server answers (RFC 8767); 0: never."""


class NamesTable(TomlTable):
    """``[names]``: clients, and the ISATAP router's name, in the intranet's DNS, by dynamic update (RFC 2136)."""

    zone: Domain = ""
    """Zone of the clients' names; site.domain when left out."""
    servers: tuple[DnsServer, ...] = ()
    """Where updates go; the zone's primary server when left out."""
    authentication: Literal["none", "tsig", "kerberos"] = "none"
    """``kerberos`` (GSS-TSIG) for zones in Active Directory with secure updates only."""
    key_file: Annotated[Path | None, Field(validate_default=True)] = None
    """For ``tsig``: a key file as ``tsig-keygen`` writes it."""
    keytab: Annotated[Path | None, Field(validate_default=True)] = None
    """For ``kerberos``: keytab of the account that owns the records."""
    principal: str = ""
    """For ``kerberos``: the account, for example ``manageout@CORP.EXAMPLE``; the keytab's first when left out."""
    ttl: Annotated[int, Field(ge=1, le=86400)] = 60
    """Seconds that others may remember a record."""
    reverse: bool = True
    """Also PTR records."""
    reserved: tuple[Domain, ...] = ()
    """Names in the zone, or first labels, that no client gets, beside those that machines trust and the site's own."""
    keep: Literal["disconnect", "grace"] = "disconnect"
    """Records go when the client disconnects, or when its lease's grace period (translation.grace) is over."""

    @field_validator("key_file", "keytab")
    @classmethod
    def _needed(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        needed = {"key_file": "tsig", "keytab": "kerberos"}[info.field_name or ""]
        if value is None and info.data.get("authentication") == needed:
            raise Unfit("key_file_needed", needed)
        return value
