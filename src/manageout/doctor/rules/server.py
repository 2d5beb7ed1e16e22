"""A DirectAccess server, alone or in a farm: the ISATAP router, its name, translator, health, scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Network

from manageout.doctor.facts import Facts, Interface, Seen
from manageout.doctor.rules.client import gateway, location
from manageout.doctor.rules.isatap import OFF_BY_DEFAULT, router_lookup
from manageout.doctor.rules.nrpt import rules_known
from manageout.doctor.rules.rule import Case, Severity, Theme
from manageout.windows.text import any_address

rule = Theme()


@rule("SERVER-HEALTH")
def health(facts: Facts) -> Iterator[Case]:
    """Components in error, or with a warning; what is switched off is no fault."""
    bad = [seen for seen in facts.health.values() if seen.value in ("error", "critical", "warning")]
    if bad:
        worst: Severity = "error" if any(seen.value != "warning" for seen in bad) else "warning"
        yield Case(tuple(seen.quote for seen in bad), severity=worst)


@rule("SERVER-SETTINGS-ONLY")
def settings_only(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Prefixes or load balancing in a text, without any interface or health."""
    seen = (facts.load_balancing, facts.client_prefix, facts.internal_prefix)
    quotes = tuple(one.quote for one in seen if one is not None)
    if quotes and not (facts.sections or facts.interfaces or facts.routes or facts.health):
        yield quotes


FORGETS = 14393
"""Server 2016: since then the router's settings do not survive a restart."""


def is_server(facts: Facts) -> bool:
    return facts.role == "server" or facts.load_balancing is not None


def _isatap(facts: Facts) -> list[Interface]:
    return facts.of_kind("isatap") if is_server(facts) else []


def _inner(facts: Facts) -> list[Interface]:
    """The ISATAP interfaces that hosts of the intranet use. There is one for each card, and those of the others are
    rightly no routers: the one with the internal card's GUID counts; if it is not known, those with an address."""
    found = _isatap(facts)
    alias = facts.internal_interface.value.lower() if facts.internal_interface is not None else ""
    guids = {one.guid for one in facts.interfaces if alias and one.name.lower() == alias and one.guid}
    inner = [
        one
        for one in found
        if any(guid in (one.guid or "", one.name.upper().strip("}")[-36:]) for guid in guids)
    ]
    return inner or [one for one in found if one.ipv6] or found


def _off(one: Interface, name: str) -> bool:
    found = getattr(one, name)
    return found is not None and not found.value


def _unpublished(facts: Facts, one: Interface) -> tuple[str, ...]:
    """What is known of the /64's route when it is not published; () when it is, or nothing is known."""
    if facts.routes is None or one.index is None:
        return ()
    own = [route for route in facts.routes if route.interface == one.index and route.prefix.prefixlen == 64]
    own = [route for route in own if not route.prefix.is_link_local]
    if any(route.published is not False for route in own):
        return ()
    return tuple(route.quote for route in own) or (f"no /64 route on {one.name or one.index}",)


def _own_prefix(facts: Facts, one: Interface) -> str:
    """Of the ISATAP link: as the deployment says, or as the interface's address does."""
    if facts.internal_prefix is not None and facts.internal_prefix.value.prefixlen == 64:
        return str(facts.internal_prefix.value)
    return str(IPv6Network((int(one.ipv6[0]) >> 64 << 64, 64))) if one.ipv6 else ""


@rule("SERVER-RESET")
def reset(facts: Facts) -> Iterator[Case]:
    """All of them are off at once on a system that forgets."""
    for one in _inner(facts):
        lost = _off(one, "forwarding") and _off(one, "advertising")
        if lost and (facts.build is None or facts.build >= FORGETS) and one.forwarding and one.advertising:
            yield Case((one.forwarding.quote, one.advertising.quote), {"N": one.index})


@rule("SERVER-FORWARDING")
def forwarding(facts: Facts) -> Iterator[Case]:
    """Forwarding off."""
    for one in _inner(facts):
        if _off(one, "forwarding") and one.forwarding:
            yield Case((one.forwarding.quote,), {"N": one.index})


@rule("SERVER-ADVERTISING")
def advertising(facts: Facts) -> Iterator[Case]:
    """Advertising off."""
    for one in _inner(facts):
        if _off(one, "advertising") and one.advertising:
            yield Case((one.advertising.quote,), {"N": one.index})


@rule("SERVER-ROUTE-UNPUBLISHED")
def unpublished(facts: Facts) -> Iterator[Case]:
    """The /64 is not there, or not published."""
    found = _inner(facts)
    for one in found:
        # Of several adapters those count that have a prefix.
        if (len(found) == 1 or one.ipv6) and (quotes := _unpublished(facts, one)):
            yield Case(quotes, {"N": one.index, "PREFIX": _own_prefix(facts, one)})


@rule("SERVER-CLIENTS-CUT")
def clients_cut(facts: Facts) -> Iterator[Case]:
    """Forwarding or advertising off on the interface that clients connect to."""
    for one in facts.of_kind("iphttps") if is_server(facts) else ():
        off = [
            seen.quote for seen in (one.forwarding, one.advertising) if seen is not None and not seen.value
        ]
        if off:
            yield Case(tuple(off), {"N": one.index})


@rule("SERVER-NO-DEFAULT")
def no_default(facts: Facts) -> Iterator[Case]:
    """AdvertiseDefaultRoute off while it advertises."""
    for one in _inner(facts):
        if (
            one.advertising
            and one.advertising.value
            and _off(one, "advertise_default")
            and one.advertise_default
        ):
            yield Case((one.advertise_default.quote,), {"N": one.index})


@rule("SERVER-NO-ISATAP")
def no_isatap(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A single server with interfaces, none of them ISATAP's; what shows one or two may have been asked for those."""
    listed = "adapters" in facts.sections or any(one.listed for one in facts.interfaces)
    listed |= len(facts.interfaces) > 2
    named = listed and all(one.name for one in facts.interfaces)
    some = facts.load_balancing is not None and facts.load_balancing.value == "some"
    if is_server(facts) and named and not facts.of_kind("isatap") and not some and not _farm(facts):
        yield (f"{len(facts.interfaces)} interfaces, none of them ISATAP",)


@rule("SERVER-SEVERAL")
def several(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one, of which one at least has only a link-local address."""
    found = _isatap(facts)
    if len(found) > 1 and any(not one.ipv6 for one in found):
        yield tuple(one.quote or one.name for one in found)


@rule("SERVER-NAMED-BY-SUFFIX")
def named_by_suffix(facts: Facts) -> Iterator[tuple[str, ...]]:
    """No brace in the name."""
    for one in _isatap(facts):
        tail = one.name.lower().rpartition("isatap.")[2]
        if "isatap." in one.name.lower() and "{" not in one.name and "." in tail:
            yield (one.quote or one.name,)


@rule("SERVER-PUBLIC-INSIDE")
def public_inside(facts: Facts) -> Iterator[tuple[str, ...]]:
    """An ISATAP address with the u bit on a server."""
    for one in _isatap(facts):
        if any(address.packed[8:12] == b"\x02\x00\x5e\xfe" for address in (*one.link_local, *one.ipv6)):
            yield (f"{one.quote or one.name}: {one.printed((*one.link_local, *one.ipv6))}",)


def _balancing(facts: Facts) -> Seen[str] | None:
    """As the server says; else as people say, who know."""
    return facts.load_balancing if facts.load_balancing is not None else facts.told.balancing


def _farm(facts: Facts) -> bool:
    return (facts.load_balancing is not None and facts.load_balancing.value == "external") or (
        facts.sites or 0
    ) > 1


@rule("FARM-EXTERNAL")
def external(facts: Facts) -> Iterator[tuple[str, ...]]:
    """External load balancing or several entry points, with ISATAP on the server itself."""
    if _farm(facts) and facts.of_kind("isatap"):
        sites = (f"{facts.sites} entry points",) if (facts.sites or 0) > 1 else ()
        yield (*((facts.load_balancing.quote,) if facts.load_balancing else ()), *sites)


@rule("FARM-EXTERNAL-NAMES")
def external_names(facts: Facts) -> Iterator[tuple[str, ...]]:
    """External load balancing or several entry points, and more than one A record."""
    lookups = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    addresses = {address for lookup in lookups for address in lookup.addresses if address.version == 4}
    told = _balancing(facts)
    if (_farm(facts) or (told is not None and told.value == "external")) and len(addresses) > 1:
        yield (*((told.quote,) if told else ()), *(lookup.quote for lookup in lookups))


@rule("FARM-NLB-NAMES")
def nlb_names(facts: Facts) -> Iterator[Case]:
    """NLB, and fewer than three addresses under the name; a note where the farm may be behind another balancer."""
    balancing = _balancing(facts)
    lookups = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    if balancing is None or balancing.value not in ("nlb", "some") or not lookups:
        return
    addresses = {address for lookup in lookups for address in lookup.addresses}
    told = facts.told.nodes | facts.told.virtual
    missing = [address for address in told if address not in addresses and address.version == 4]
    if len(addresses) < 3 or (facts.told.nodes and addresses & told.keys() and missing):
        words = (f"without {', '.join(map(str, missing))}",) if missing else ()
        quotes = (balancing.quote, *(lookup.quote for lookup in lookups), *words)
        yield Case(quotes, variant="other-balancer" if balancing.value == "some" else "")


@rule("FARM-NODE-ADDRESS")
def node_address(facts: Facts) -> Iterator[Case]:
    """A name that clients use, or the DNS server of a name rule, is a node's alone; of nodes that people have named."""
    nodes, virtual = facts.told.nodes, facts.told.virtual
    used = [
        (one.name, set(one.addresses), one.quote) for one in facts.lookups if _shared_name(facts, one.name)
    ]
    for one in rules_known(facts):
        used.append(
            (one.namespace, {found for text in one.servers if (found := any_address(text))}, one.quote)
        )
    if facts.isatap_router is not None and (set_to := any_address(facts.isatap_router.value)) is not None:
        used.append(("the ISATAP router", {set_to}, facts.isatap_router.quote))
    for name, addresses, quote in used if virtual else ():
        own = [nodes[one] for one in addresses if one in nodes]
        if own and not addresses & virtual.keys():
            versions = {address.version for address in addresses}
            right = next((one for one in virtual if one.version in versions), None)
            yield Case((quote, own[0]), {"NAME": name, "VIRTUAL": right})


def _shared_name(facts: Facts, name: str) -> bool:
    """A name of the whole farm: the gateway's, the location server's, or one that is called so."""
    lower = name.lower().rstrip(".")
    return lower in (gateway(facts), location(facts)) or _OF_FARMS.match(lower) is not None


_OF_FARMS = re.compile(
    r"(?:nls|da|directaccess|ra|remote|remoteaccess|vpn|gw|gateway|access|iphttps)(?:-?[a-z]+)?\."
)


@rule("FARM-CLIENT-PREFIX")
def client_prefix(facts: Facts) -> Iterator[Case]:
    """Load balanced with a /64."""
    balancing, prefix = facts.load_balancing, facts.client_prefix
    if (
        balancing is not None
        and balancing.value != "none"
        and prefix is not None
        and prefix.value.prefixlen > 59
    ):
        wider = prefix.value.supernet(new_prefix=59).with_prefixlen
        yield Case((balancing.quote, prefix.quote), {"PREFIX": wider})


@rule("SERVER-PREFIX-DIFFERS")
def prefix_differs(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A published /64 on the ISATAP interface outside of InternalIPv6Prefix."""
    wanted = facts.internal_prefix
    indexes = {one.index for one in _isatap(facts)}
    for route in facts.routes or []:
        own = route.interface in indexes and route.published and route.prefix.prefixlen == 64
        if wanted is not None and own and not route.prefix.subnet_of(wanted.value):
            yield route.quote, wanted.quote


NATIVE, SIX_TO_FOUR = IPv6Network("2000::/3"), IPv6Network("2002::/16")


@rule("SERVER-POLICY-OFF")
def policy_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State by policy is Disabled, or Default where that is the same."""
    found = facts.isatap_policy_state
    off = ("disabled", "default") if (facts.build or OFF_BY_DEFAULT) >= OFF_BY_DEFAULT else ("disabled",)
    if is_server(facts) and found is not None and found.value in off:
        yield (found.quote,)


@rule("SERVER-NAME-UNPUBLISHED")
def unpublished_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Every look-up of the router's name failed on the server."""
    lookups = router_lookup(facts)
    if is_server(facts) and lookups and not any(lookup.addresses for lookup in lookups):
        yield tuple(lookup.quote for lookup in lookups)


@rule("SERVER-TRANSLATION-OFF")
def translation_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Either of them disabled."""
    off = [seen.quote for seen in (facts.nat64, facts.dns64) if seen is not None and not seen.value]
    if is_server(facts) and off:
        yield tuple(off)


@rule("SERVER-DNS64-ONLY-A")
def only_a(facts: Facts) -> Iterator[tuple[str, ...]]:
    """OnlySendAQuery where the internal prefix is neither 6to4 nor local."""
    only, prefix = facts.dns64_only_a, facts.internal_prefix
    if only is None or not only.value or prefix is None or not is_server(facts):
        return
    if prefix.value.subnet_of(NATIVE) and not prefix.value.subnet_of(SIX_TO_FOUR):
        yield only.quote, prefix.quote


@rule("FARM-TEREDO")
def farm_teredo(facts: Facts) -> Iterator[tuple[str, ...]]:
    """TeredoState Enabled with third-party load balancing."""
    teredo, balancing = facts.teredo_server, facts.load_balancing
    if teredo is not None and teredo.value and balancing is not None and balancing.value == "external":
        yield teredo.quote, balancing.quote


@rule("SERVER-CERTIFICATE-ENDED")
def certificate_ended(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Its end, in whatever order of day and month, is past."""
    ended = [one for one in facts.certificates.values() if facts.read_at and one.value < facts.read_at]
    if ended:
        yield tuple(one.quote for one in ended)


@rule("SERVER-ERROR-87")
def error_87(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Of PowerShell, pasted."""
    yield from ((line,) for line in facts.events if "Windows System Error 87" in line)


@rule("SERVER-SCRIPT-NULL")
def script_null(facts: Facts) -> Iterator[tuple[str, ...]]:
    """PowerShell's refusal of an empty index."""
    yield from ((line,) for line in facts.events if "ParameterArgumentValidationError" in line)
