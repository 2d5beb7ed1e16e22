"""What can be wrong with any Windows machine: IPv6 switched off, the service stopped, the clock, evidence."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.facts import Facts, Seen
from manageout.doctor.findings import rule

PARAMETERS = r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters"
TUNNELS_OFF = 0x01
ISATAP_OFF = 0x04
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
    return Seen(
        found.value & 0xFFFFFFFF, f"{PARAMETERS}\\DisabledComponents = 0x{found.value & 0xFFFFFFFF:x}"
    )


@rule(
    "TUNNELS-OFF",
    "error",
    "IPv6 tunnels are switched off in the registry",
    cause="DisabledComponents has the bit for tunnel interfaces: neither ISATAP nor IP-HTTPS nor Teredo "
    "can exist. "
    "Old policies leave it behind, and unticking IPv6 on the network card does not change it.",
    remedy=(
        rf'reg add "HKLM\{PARAMETERS}" /v DisabledComponents /t REG_DWORD /d 0 /f   (0x20 to prefer IPv4 only)',
        "restart the machine, and look for the policy preference that sets it again",
    ),
    hides=_CONSEQUENCES,
)
def tunnels_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """DisabledComponents bit 0, the older ISATAP bit, or everything."""
    found = disabled_components(facts)
    if found is not None and found.value & (TUNNELS_OFF | ISATAP_OFF):
        yield (found.quote,)


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
    "CLOCK",
    "error",
    "the clock is wrong",
    cause="Beyond 5 minutes Kerberos fails, and certificates seem expired or not yet valid.",
    remedy=("w32tm /resync /force", "w32tm /query /status"),
    hides=("IPHTTPS-CERTIFICATE", "LOCATION-FAILED", "LOCATION-PROBE"),
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
