"""Which of two addresses a machine prefers, and old faults of the resolver (RFC 6724, Windows 10 before 1703)."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.doctor.facts import Facts, PrefixPolicy
from manageout.doctor.rules.dns import DNSCACHE
from manageout.doctor.rules.evidence import around, label, quotes, stated
from manageout.doctor.rules.isatap import active, router_lookup, wanted
from manageout.doctor.rules.machine import ISATAP_OFF, TUNNELS_OFF, disabled_components
from manageout.doctor.rules.rule import Case, Theme
from manageout.windows.deployment import CLIENTS, subnet
from manageout.wire.address import written

rule = Theme()
PREFER_IPV4 = 0x20
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


@rule("PREFER-IPV4")
def prefers_ipv4(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The bit on a manager, without those that switch tunnels off."""
    found = disabled_components(facts)
    bits = found.value & (PREFER_IPV4 | TUNNELS_OFF | ISATAP_OFF) if found is not None else 0
    if found is not None and facts.role in ("manager", "unknown") and bits == PREFER_IPV4:
        yield (found.quote,)


def _precedence(policies: list[PrefixPolicy], address: IPv4Address | IPv6Address) -> PrefixPolicy | None:
    """The longest match; IPv4 as mapped (RFC 6724 2.1)."""
    value = address if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}")
    fitting = [policy for policy in policies if value in policy.prefix]
    return max(fitting, key=lambda policy: policy.prefix.prefixlen, default=None)


@rule("PREFER-STALE-A")
def stale_a(facts: Facts) -> Iterator[Case]:
    """A and AAAA for one name, and the A's precedence is higher; by Windows' own table where none is known and the AAAA
    is a client's. An error where the A was called in vain."""
    names = _named(facts)
    failed = {
        one.address: one.quote for one in facts.pings if not (one.answered or one.literal or one.forced)
    }
    told = set()
    for name, addresses in names.items():
        table = _OWN_TABLE if any(map(_is_client, addresses)) else []
        table = facts.policies if facts.policies is not None else table
        found = {a.version: policy for a in addresses if (policy := _precedence(table, a)) is not None}
        if 4 in found and 6 in found and found[4].precedence > found[6].precedence:
            vain = tuple(failed[each] for each in addresses if each.version == 4 and each in failed)
            words = f"{name}: {', '.join(map(str, addresses))}"
            told.add(name)
            yield Case((words, found[4].quote, found[6].quote, *vain), severity="error" if vain else None)
    if facts.policies is None:
        yield from _chosen(facts, {name: each for name, each in names.items() if name not in told})


_OWN_TABLE = [
    PrefixPolicy(*row, prefix, f"Windows' own prefix policy {prefix} precedence {row[0]} label {row[1]}")
    for prefix, row in OWN_ROWS.items()
]


def _named(facts: Facts) -> dict[str, list[IPv4Address | IPv6Address]]:
    """Addresses by name: those that the machine has looked up, and of DNS servers here, what they hold of names that
    the machine has called, or of clients. Records mostly have a first label alone."""
    routers = {lookup.name.lower() for lookup in router_lookup(facts)}
    names: dict[str, list[IPv4Address | IPv6Address]] = {}
    for lookup in facts.lookups:
        if lookup.name.lower() not in routers:
            names.setdefault(lookup.name.lower(), []).extend(lookup.addresses)
    called = {_first(name): name for name in (*names, *_called(facts))}
    clients = {_first(one.name) for one in facts.records if _is_client(one.address)}
    clients -= {_first(name) for where in facts.beside for name in _called(where)}  # it is told there
    for record in (record for where in around(facts) for record in where.records):
        label = _first(record.name)
        if label in called or label in clients:
            held = names.setdefault(called.get(label, record.name), [])
            held += [record.address] if record.address not in held else []
    return names


def _called(facts: Facts) -> Iterator[str]:
    yield from (look.name for look in facts.lookups)
    yield from (ping.name for ping in facts.pings if ping.name)


def _first(name: str) -> str:
    return name.lower().partition(".")[0]


def _is_client(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and subnet(address) in CLIENTS


def _chosen(facts: Facts, names: dict[str, list[IPv4Address | IPv6Address]]) -> Iterator[Case]:
    """A name that ping took for an IPv4 address in vain, though it has an IPv6 address too."""
    six = {one.name: one.quote for one in facts.pings if one.name and one.address.version == 6}
    for name, addresses in names.items():
        known = [str(address) for address in addresses if isinstance(address, IPv6Address)]
        six |= {name: f"{name}: {', '.join(known)}"} if known else {}
    for one in facts.pings:
        if one.name in six and one.address.version == 4 and not (one.answered or one.forced):
            yield Case((one.quote, six[one.name]), severity="error")


@rule("PREFER-TABLE-LOST")
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
        yield Case((*quotes(*facts.policies or []), words), remedy=tuple(steps))


@rule("PREFER-NOWHERE")
def nowhere(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A default route, or gateway, of an ISATAP interface whose label is that of global addresses."""
    policies = facts.policies or []
    public = next((policy for policy in policies if policy.prefix.prefixlen == 0), None)
    if public is None:
        return
    for one in facts.of_kind("isatap"):
        routes = [r for r in facts.routes or [] if r.interface == one.index and r.prefix.prefixlen == 0]
        default = quotes(*routes) or tuple(f"{label(one)}: default gateway {hop}" for hop in one.gateways)
        own = [_precedence(policies, address) for address in one.ipv6]
        if default and any(policy is not None and policy.label == public.label for policy in own):
            yield default[0], public.quote


@rule("RESOLVER-1511")
def old_resolver(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Builds 10240 to 14393 as ISATAP hosts, without the value; or where the value was looked for, or a name is not
    found that has an address."""
    cured = stated(facts.value(DNSCACHE, "DisableParallelAandAAAA"), 1)
    absent = facts.lacks(DNSCACHE, "DisableParallelAandAAAA")
    version = facts.version
    old = version is not None and WINDOWS_10 <= version.value < CURED
    found = {one.name.lower() for one in facts.lookups if any(a.version == 6 for a in one.addresses)}
    vain = [
        one.quote for one in facts.lookups if one.error and not one.addresses and one.name.lower() in found
    ]
    if old and not cured and wanted(facts) and (active(facts) or vain or absent):
        yield (*quotes(version), *absent, *vain)
