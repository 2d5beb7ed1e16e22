"""Which of two addresses a machine prefers, and old faults of the resolver (RFC 6724, Windows 10 before "
"1703)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.doctor.facts import Facts, PrefixPolicy
from manageout.doctor.findings import Case, rule
from manageout.doctor.rules.dns import DNSCACHE
from manageout.doctor.rules.manager import router_lookup
from manageout.wire.address import written

WINDOWS_10, CURED = 10240, 15063
OWN_ROWS = {
    IPv6Network("::1/128"): (50, 0),
    IPv6Network("::/0"): (40, 1),
    IPv6Network("::ffff:0:0/96"): (35, 4),
    IPv6Network("2002::/16"): (30, 2),
    IPv6Network("2001::/32"): (5, 5),
    IPv6Network("fc00::/7"): (3, 13),
}
"""Prefix -> precedence and label, as Windows has them (RFC 6724 2.1)."""
_VITAL = tuple(OWN_ROWS)[:3]
"""Rows of every version of the table (RFC 3484 2.1 too)."""


def _precedence(policies: list[PrefixPolicy], address: IPv4Address | IPv6Address) -> PrefixPolicy | None:
    """The longest match; IPv4 as mapped (RFC 6724 2.1)."""
    value = address if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}")
    fitting = [policy for policy in policies if value in policy.prefix]
    return max(fitting, key=lambda policy: policy.prefix.prefixlen, default=None)


@rule(
    "PREFER-STALE-A",
    "warning",
    "this machine calls the client's IPv4 address first",
    cause="The name has an IPv4 record too, left from the client's days in the office, and the prefix "
    "policies rank IPv4 "
    "above the client's IPv6 prefix: it works by address, and is slow or wrong by name.",
    remedy=(
        "remove the stale A record",
        "or netsh interface ipv6 add prefixpolicy CLIENT-PREFIX::/48 45 14   (on the managers; then Windows' own rows "
        "too: PREFER-TABLE-LOST)",
        "or let the gateway own the name: its A record is then the lease, which answers",
    ),
)
def stale_a(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A and AAAA for one name, and the A's precedence is higher."""
    routers = {lookup.name.lower() for lookup in router_lookup(facts)}
    names: dict[str, list[IPv4Address | IPv6Address]] = {}
    for lookup in facts.lookups:
        if lookup.name.lower() not in routers:
            names.setdefault(lookup.name.lower(), []).extend(lookup.addresses)
    for name, addresses in names.items():
        found = {
            a.version: policy
            for a in addresses
            if (policy := _precedence(facts.policies or [], a)) is not None
        }
        if 4 in found and 6 in found and found[4].precedence > found[6].precedence:
            yield f"{name}: {', '.join(map(str, addresses))}", found[4].quote, found[6].quote


@rule(
    "PREFER-TABLE-LOST",
    "warning",
    "the table of prefix policies has lost Windows' own rows",
    cause="A table with rows of somebody's own replaces Windows' one: what is not in it is ranked by chance, mostly "
    "IPv4 first. Whoever adds one row must add the others too.",
    remedy=("netsh interface ipv6 add prefixpolicy PREFIX PRECEDENCE LABEL   (each row that is missing)",),
    hides=("PREFER-STALE-A", "PREFER-NOWHERE"),
)
def table_lost(facts: Facts) -> Iterator[Case]:
    """A table, and a row in it, but not ::1/128, ::/0 or ::ffff:0:0/96."""
    there = {policy.prefix for policy in facts.policies or []}
    if there and any(prefix not in there for prefix in _VITAL):
        missing = {prefix: row for prefix, row in OWN_ROWS.items() if prefix not in there}
        words = f"missing: {', '.join(map(written, missing))}"
        steps = (
            f"netsh interface ipv6 add prefixpolicy {written(prefix)} {precedence} {label}"
            for prefix, (precedence, label) in missing.items()
        )
        yield Case((*(policy.quote for policy in facts.policies or []), words), remedy=tuple(steps))


@rule(
    "PREFER-NOWHERE",
    "warning",
    "this machine prefers IPv6 through ISATAP for the Internet",
    cause="It has a default route through ISATAP and a global or old-style ISATAP address: public names "
    "with IPv6 are tried "
    "through a router that leads nowhere, before IPv4. This is the slow Internet that global ISATAP is "
    "known for.",
    remedy=(
        "on our router: isatap.default_route = false (the default), so that only the clients' prefixes go "
        "there",
        "switch ISATAP off where nobody initiates: manageout rollout gpo renders that policy too",
    ),
)
def nowhere(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A default route on an ISATAP interface whose label is that of global addresses."""
    policies = facts.policies or []
    for one in facts.of_kind("isatap"):
        default = [r for r in facts.routes or [] if r.interface == one.index and r.prefix.prefixlen == 0]
        own = [_precedence(policies, address) for address in one.ipv6]
        public = next((policy for policy in policies if policy.prefix.prefixlen == 0), None)
        if (
            default
            and public is not None
            and any(policy is not None and policy.label == public.label for policy in own)
        ):
            yield default[0].quote, public.quote


@rule(
    "RESOLVER-1511",
    "warning",
    "this Windows 10 does not use IPv6 addresses over ISATAP",
    cause="Until 1703 its resolver asked for A and AAAA in parallel and lost the AAAA over ISATAP.",
    remedy=(
        "update to 1703 or later",
        rf'reg add "HKLM\{DNSCACHE}" /v DisableParallelAandAAAA /t REG_DWORD /d 1 /f   (then restart)',
    ),
)
def old_resolver(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Builds 10240 to 14393 as ISATAP hosts, without the value."""
    enabled = facts.isatap_state is not None and facts.isatap_state.value == "enabled"
    found = facts.value(DNSCACHE, "DisableParallelAandAAAA")
    if (
        enabled
        and facts.build is not None
        and WINDOWS_10 <= facts.build < CURED
        and (found is None or found.value != 1)
    ):
        yield (f"Windows build {facts.build}",)
