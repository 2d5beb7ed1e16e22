"""Of a remote client: its gateway, its location server, whether an address is inside."""

from __future__ import annotations

from ipaddress import ip_network
from urllib.parse import urlsplit

from manageout.doctor.facts import Facts, Reached
from manageout.windows.policies import CONNECTIVITY

_INTRANETS = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""RFC 1918, RFC 4193."""


def host_of(url: str) -> str:
    """The host in a URL, lower case; empty without one, or when it is no URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def gateway(facts: Facts) -> str:
    """The host in the IP-HTTPS URL; empty without one."""
    return host_of(facts.iphttps_url.value) if facts.iphttps_url is not None else ""


def location(facts: Facts) -> str:
    """The host in the location server's URL; empty without one."""
    url = facts.value(CONNECTIVITY, "DomainLocationDeterminationUrl")
    return host_of(str(url.value)) if url is not None else ""


def inner(well: Reached) -> bool:
    """An address of an intranet, at which no client outside looks for its gateway."""
    found = well.address
    return found is not None and any(found in one for one in _INTRANETS if one.version == found.version)
