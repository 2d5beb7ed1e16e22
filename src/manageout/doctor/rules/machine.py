"""What can be wrong with any Windows machine: IPv6 switched off, the service stopped, the clock, evidence."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.facts import Facts, Seen
from manageout.doctor.findings import Case, rule

PARAMETERS = r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters"
TUNNELS_OFF, ISATAP_OFF, TEREDO_OFF, CARDS_OFF = 0x01, 0x04, 0x08, 0x10
BITS = {
    TUNNELS_OFF: "no tunnel interfaces",
    0x02: "no 6to4",
    ISATAP_OFF: "no ISATAP",
    TEREDO_OFF: "no Teredo",
    CARDS_OFF: "no IPv6 on network cards",
    0x20: "IPv4 before IPv6",
    0x40: "no IPv6 on VPN connections",
}
"""What each bit of DisabledComponents takes away."""
WRONG_ALL = 0xFFFFFFFF
SKEW = 300.0
"""Seconds that Kerberos tolerates."""

_CONSEQUENCES = (
    "ISATAP-DISABLED", "ISATAP-DEFAULT", "ISATAP-NO-ADAPTER", "ISATAP-NO-NAME", "ISATAP-LINK-LOCAL-ONLY",
    "ISATAP-NO-ROUTE", "SERVER-NO-ISATAP", "SERVER-RESET", "SERVER-FORWARDING", "SERVER-ADVERTISING",
    "SERVER-ROUTE-UNPUBLISHED", "IPHTTPS-INSTALL", "IPHTTPS-CREATE", "IPHTTPS-OTHER", "TEREDO-OFFLINE",
    "ISATAP-DISCONNECTED", "ISATAP-EVENT-490", "LOCATION-FAILED", "LOCATION-PROBE",
)  # fmt: skip


def disabled_components(facts: Facts) -> Seen[int] | None:
    """The value, or None when it is not set."""
    found = facts.value(PARAMETERS, "DisabledComponents")
    if found is None or not isinstance(found.value, int):
        return None
    value = found.value & 0xFFFFFFFF
    words = ", ".join(f"0x{bit:02x} {what}" for bit, what in BITS.items() if value & bit)
    return Seen(value, f"{PARAMETERS}\\DisabledComponents = 0x{value:x}{f' ({words})' if words else ''}")


def _without(value: int, bits: int) -> str:
    """What is left of it; the bits that Windows does not know go too."""
    return f"0x{value & 0x7F & ~bits:x}" if value < 0xFF else "0x0"


_SET = (
    rf'reg add "HKLM\{PARAMETERS}" /v DisabledComponents /t REG_DWORD /d VALUE /f   (0x20: only prefer IPv4)'
)
_RESTART = "restart the machine, and look for the policy preference that sets it again"


@rule(
    "TUNNELS-OFF",
    "error",
    "IPv6 tunnels are switched off in the registry",
    cause="DisabledComponents has the bit for tunnel interfaces: neither ISATAP nor IP-HTTPS nor Teredo "
    "can exist. "
    "Old policies leave it behind, and unticking IPv6 on the network card does not change it.",
    remedy=(_SET, _RESTART),
    hides=(*_CONSEQUENCES, "IPV6-CARDS-OFF"),
)
def tunnels_off(facts: Facts) -> Iterator[Case]:
    """DisabledComponents bit 0, or everything."""
    found = disabled_components(facts)
    if found is not None and found.value & TUNNELS_OFF:
        yield Case((found.quote,), {"VALUE": _without(found.value, TUNNELS_OFF | ISATAP_OFF)})


@rule(
    "ISATAP-OFF-BIT",
    "error",
    "ISATAP is switched off in the registry",
    cause="DisabledComponents has the older bit for ISATAP alone: no ISATAP interface can exist, whatever is "
    "configured. IP-HTTPS and Teredo are not touched by it.",
    remedy=(_SET, _RESTART),
    hides=tuple(code for code in _CONSEQUENCES if code.startswith(("ISATAP-", "SERVER-"))),
)
def isatap_off(facts: Facts) -> Iterator[Case]:
    """Bit 2 without bit 0, on any machine but a client."""
    found = disabled_components(facts)
    bits = found.value & (TUNNELS_OFF | ISATAP_OFF) if found is not None else 0
    if found is not None and bits == ISATAP_OFF and facts.role != "client":
        yield Case((found.quote,), {"VALUE": _without(found.value, ISATAP_OFF)})


@rule(
    "TEREDO-OFF-BIT",
    "note",
    "Teredo is switched off in the registry",
    cause="DisabledComponents has the bit for Teredo. Clients take IP-HTTPS instead.",
    remedy=("nothing, if IP-HTTPS works", _SET),
    hides=("TEREDO-OFFLINE",),
)
def teredo_off(facts: Facts) -> Iterator[Case]:
    """Bit 3 without bit 0."""
    found = disabled_components(facts)
    if found is not None and found.value & (TUNNELS_OFF | TEREDO_OFF) == TEREDO_OFF:
        yield Case((found.quote,), {"VALUE": _without(found.value, TEREDO_OFF)})


@rule(
    "IPV6-CARDS-OFF",
    "warning",
    "IPv6 is switched off on the network cards",
    cause="DisabledComponents has the bit for everything but tunnels: there is no native IPv6, so a DirectAccess "
    "server with IPv6 inside, and a manager that is to use native IPv6, are cut off.",
    remedy=(_SET, _RESTART),
)
def cards_off(facts: Facts) -> Iterator[Case]:
    """Bit 4."""
    found = disabled_components(facts)
    if found is not None and found.value & CARDS_OFF:
        yield Case((found.quote,), {"VALUE": _without(found.value, CARDS_OFF | TUNNELS_OFF)})


@rule(
    "IPV6-WRONG-VALUE",
    "warning",
    "DisabledComponents holds a value that Windows does not document",
    cause="0xFFFFFFFF is widely copied; the value that means everything is 0xFF, and this one delays the "
    "start by 5 s.",
    remedy=(
        rf'reg add "HKLM\{PARAMETERS}" /v DisabledComponents /t REG_DWORD /d 0x20 /f',
        "restart the machine",
    ),
)
def wrong_value(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The undocumented value."""
    found = disabled_components(facts)
    if found is not None and found.value == WRONG_ALL:
        yield (found.quote,)


@rule(
    "IPHLPSVC-STOPPED",
    "error",
    "the service IP Helper does not run",
    cause="IP Helper (iphlpsvc) makes and keeps the ISATAP, IP-HTTPS and Teredo interfaces.",
    remedy=("Set-Service iphlpsvc -StartupType Automatic", "Start-Service iphlpsvc"),
    hides=_CONSEQUENCES,
)
def helper_stopped(facts: Facts) -> Iterator[tuple[str, ...]]:
    """iphlpsvc is not running."""
    found = facts.services.get("iphlpsvc")
    if found is not None and not found.value:
        yield (found.quote,)


@rule(
    "DNSCACHE-STOPPED",
    "error",
    "the DNS client service does not run",
    cause="Without it the name-resolution policy table is not followed, and names are asked of the wrong "
    "servers.",
    remedy=("Set-Service Dnscache -StartupType Automatic", "restart the machine"),
)
def resolver_stopped(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Dnscache is not running."""
    found = facts.services.get("dnscache")
    if found is not None and not found.value:
        yield (found.quote,)


@rule(
    "IPSEC-SERVICE",
    "error",
    "a service that IPsec needs does not run",
    cause="DirectAccess' IPsec rules belong to the firewall: without its service (mpssvc), the engine below "
    "it (BFE) or the key exchange (IKEEXT) the tunnel opens and nothing passes. Firewalls of others like to stop them.",
    remedy=("Set-Service NAME -StartupType Automatic; Start-Service NAME   (BFE, then mpssvc, then IKEEXT)",),
    hides=("IPSEC-NONE", "LOCATION-FAILED", "LOCATION-PROBE"),
)
def ipsec_stopped(facts: Facts) -> Iterator[Case]:
    """One of the three on a machine that is no manager."""
    found = {name: facts.services.get(name) for name in ("bfe", "mpssvc", "ikeext")}
    off = [(name, seen.quote) for name, seen in found.items() if seen is not None and not seen.value]
    if off and facts.role != "manager":
        yield Case(tuple(quote for _, quote in off), {"NAME": off[0][0]})


@rule(
    "CLOCK",
    "error",
    "the clock is wrong",
    cause="Beyond 5 minutes Kerberos fails, and certificates seem expired or not yet valid.",
    remedy=("w32tm /resync /force", "w32tm /query /status"),
    hides=("IPHTTPS-CERTIFICATE", "IPHTTPS-EXPIRED", "LOCATION-FAILED", "LOCATION-PROBE", "IPSEC-NONE"),
)
def clock(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than Kerberos tolerates."""
    if facts.clock_error is not None and abs(facts.clock_error.value) > SKEW:
        yield (facts.clock_error.quote,)


@rule(
    "EVIDENCE",
    "note",
    "a part of the evidence could not be read",
    cause="What is missing here cannot be judged; everything else was.",
    remedy=("run the collector as administrator, or save the output of the command again",),
)
def evidence(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Sections that failed."""
    if facts.unread:
        yield tuple(facts.unread[:10])
