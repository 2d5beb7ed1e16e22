"""What Windows' own cmdlets say of a DirectAccess server and of the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from manageout.doctor.facts import Facts, Reached
from manageout.doctor.findings import Case, Severity, gateway, rule
from manageout.doctor.rules.client import location
from manageout.doctor.rules.iphttps import NOT_CONNECTED, tunnel_up


@rule(
    "SERVER-HEALTH",
    "error",
    "Windows itself finds a fault in the DirectAccess server",
    cause="Get-RemoteAccessHealth judges each component; its heuristics tell the cause in words.",
    remedy=(
        "Get-RemoteAccessHealth | Where-Object HealthState -ne OK   (its Heuristics say why)",
        "Get-RemoteAccessHealth -Refresh   (the state may be an old one)",
    ),
)
def health(facts: Facts) -> Iterator[Case]:
    """Components in error, or with a warning; what is switched off is no fault."""
    bad = [seen for seen in facts.health.values() if seen.value in ("error", "warning")]
    if bad:
        worst: Severity = "error" if any(seen.value == "error" for seen in bad) else "warning"
        yield Case(tuple(seen.quote for seen in bad), severity=worst)


@rule(
    "SERVER-SETTINGS-ONLY",
    "note",
    "these are the settings of a DirectAccess server, and nothing of how it works",
    cause="Whether it forwards and advertises shows in its interfaces and routes, which are not there.",
    remedy=(
        "manageout import --locator ADDRESS FILE   (what these settings are good for: a router's site file)",
        "on the server: Get-NetIPInterface -AddressFamily IPv6 | Select-Object "
        "ifIndex, InterfaceAlias, Forwarding, Advertising, AdvertiseDefaultRoute; Get-RemoteAccessHealth",
        "or the collector's file: manageout doctor --collector",
    ),
)
def settings_only(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Prefixes or load balancing in a text, without any interface or health."""
    seen = (facts.load_balancing, facts.client_prefix, facts.internal_prefix)
    quotes = tuple(one.quote for one in seen if one is not None)
    if quotes and not (facts.sections or facts.interfaces or facts.routes or facts.health):
        yield quotes


@rule(
    "LOCATION-ASSISTANT",
    "warning",
    "the Network Connectivity Assistant does not answer",
    cause="Its service (NcaSvc) starts only where the DirectAccess client policy is applied: this computer does not "
    "have it, or its edition of Windows is none for DirectAccess (Enterprise or Education is).",
    remedy=(
        "gpresult /r /scope computer   (is the client policy applied? is the machine in its group?)",
        "gpupdate /force, then restart the machine",
        "Get-ComputerInfo WindowsEditionId",
    ),
)
def assistant(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Get-DAConnectionStatus failed, or the service is stopped on a client."""
    found = facts.services.get("ncasvc")
    if found is not None and not found.value and facts.inside is None and facts.connection is None:
        yield (found.quote,)


@rule(
    "IPHTTPS-UNREACHED",
    "error",
    "no TCP connection to the gateway comes about",
    cause="TCP 443 does not reach it: a firewall on the way, a wrong address, or nothing listens there.",
    remedy=(
        "Resolve-DnsName NAME   (is it the gateway's public address?)",
        "from another network, such as a telephone's",
        "on the gateway: manageout status",
    ),
    hides=NOT_CONNECTED,
)
def unreached(facts: Facts) -> Iterator[Case]:
    """Test-NetConnection to port 443 failed, and IP-HTTPS itself does not say more."""
    if facts.iphttps_error is not None and facts.iphttps_error.value:
        return
    for (name, port), well in facts.tcp.items():
        unknown = not gateway(facts) and name != location(facts) and not _inner(well)
        if port == 443 and not well.value and (unknown or gateway(facts) == name):
            yield Case((well.quote,), {"NAME": name})


def _inner(well: Reached) -> bool:
    """An address of an intranet, at which no client outside looks for its gateway."""
    found = well.address
    return found is not None and any(found in one for one in _INTRANETS if one.version == found.version)


_INTRANETS = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""RFC 1918, RFC 4193."""


@rule(
    "LOCATION-UNREACHED",
    "error",
    "the location server does not answer inside",
    cause="By its page over https a machine knows that it is inside. Without it the name-resolution policy stays on: "
    "names of the intranet are asked of a server beyond a tunnel that does not come up from inside.",
    remedy=(
        "Test-NetConnection NAME -Port 443   (from its own subnet: is the web server up, is a firewall between?)",
        "two machines behind that name: every client depends on it",
        "until then, on single machines: Set-DnsClientNrptGlobal -EnableDAForAllNetworks DisableDA",
    ),
    hides=("LOCATION-STRANDED", *NOT_CONNECTED),
)
def location_unreached(facts: Facts) -> Iterator[Case]:
    """Its name led to an address of the intranet, TCP 443 failed there, and the machine is not known to be outside."""
    host = location(facts)
    well = facts.tcp.get((host, 443)) if host else None
    outside = tunnel_up(facts) or (facts.inside is not None and not facts.inside.value)
    if well is not None and not well.value and _inner(well) and not outside:
        yield Case((well.quote,), {"NAME": host})
