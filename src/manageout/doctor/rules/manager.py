"""An ISATAP host: why it has no address, only a link-local one, or no way to the clients."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from manageout.doctor.facts import Facts, Interface, Lookup
from manageout.doctor.findings import Case, rule
from manageout.wire.address import embedded_isatap
from manageout.wire.special import is_global

OFF_BY_DEFAULT = 15063
"""Windows 10 1703: since then 'default' means off."""
_NO_ADDRESS = (
    "ISATAP-NO-ADAPTER",
    "ISATAP-NO-NAME",
    "ISATAP-LINK-LOCAL-ONLY",
    "ISATAP-NO-ROUTE",
    "ISATAP-DEFAULT",
    "ISATAP-DISCONNECTED",
    "ISATAP-NAME-BLOCKED",
)


def wanted(facts: Facts) -> bool:
    """Whether the machine is meant to be an ISATAP host."""
    return facts.role in ("manager", "unknown") and facts.load_balancing is None


def enabled(facts: Facts) -> bool:
    return facts.isatap_state is not None and facts.isatap_state.value in ("enabled", "automatic")


def active(facts: Facts) -> bool:
    """Enabled; where nobody tells the state, by an adapter with an address, which there is only then."""
    return enabled(facts) or (facts.isatap_state is None and bool(addressed(facts)))


def router_lookup(facts: Facts) -> list[Lookup]:
    """The look-ups of the router's name; where none is configured, those of a name with isatap in its first label."""
    named = facts.isatap_policy_router or facts.isatap_router
    name = named.value.lower().rstrip(".") if named is not None else ""
    return [
        lookup
        for lookup in facts.lookups
        if (found := lookup.name.lower().rstrip("."))
        and (found == name if name else "isatap" in found.partition(".")[0])
    ]


def addressed(facts: Facts) -> list[Interface]:
    """ISATAP interfaces that hold an address."""
    return [one for one in facts.of_kind("isatap") if one.link_local or one.ipv6]


@rule(
    "ISATAP-POLICY-OFF",
    "error",
    "group policy switches ISATAP off",
    cause="The policy 'Set ISATAP State' is Disabled for this machine; it wins over every local setting.",
    remedy=(
        "gpresult /h report.html   (shows which policy)",
        "take the machine out of that policy, or into the managers'",
    ),
    hides=(*_NO_ADDRESS, "ISATAP-DISABLED"),
)
def policy_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State = Disabled by policy."""
    found = facts.isatap_policy_state
    if wanted(facts) and found is not None and found.value == "disabled":
        yield (found.quote,)


@rule(
    "ISATAP-POLICY-DEFAULT",
    "error",
    "group policy sets ISATAP to Default, which means off",
    cause="Since Windows 10 1703 the state Default is the same as Disabled; the policy was made for older "
    "systems.",
    remedy=(
        "set 'Set ISATAP State' to Enabled in that policy (manageout rollout gpo renders it)",
        "gpupdate /force",
    ),
    hides=(*_NO_ADDRESS, "ISATAP-DISABLED"),
)
def policy_default(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State = Default by policy on a system where that is off."""
    found = facts.isatap_policy_state
    modern = facts.build is None or facts.build >= OFF_BY_DEFAULT
    if wanted(facts) and modern and found is not None and found.value == "default":
        yield (found.quote,)


@rule(
    "ISATAP-DISABLED",
    "error",
    "ISATAP is disabled on this machine",
    cause="The local state is Disabled.",
    remedy=("Set-NetIsatapConfiguration -State Enabled -Router ROUTER", "Restart-Service iphlpsvc"),
    hides=_NO_ADDRESS,
)
def disabled(facts: Facts) -> Iterator[Case]:
    """State disabled; a note on a machine of which nothing else says that it is to have ISATAP."""
    found = facts.isatap_state
    routers = (facts.isatap_router, facts.isatap_policy_router)
    told = facts.role == "manager" or facts.of_kind("isatap") or any(one and one.value for one in routers)
    if wanted(facts) and found is not None and found.value == "disabled":
        cause = (
            "" if told else "The local state is Disabled. That is right for a machine that calls no clients."
        )
        yield Case((found.quote,), cause=cause, severity=None if told else "note")


@rule(
    "ISATAP-DEFAULT",
    "error",
    "ISATAP is in its default state, which means off",
    cause="Up to Windows 10 1607 'default' looked for a router by name; since 1703 it makes no interface "
    "at all. "
    "Setting only the router's name is not enough.",
    remedy=("Set-NetIsatapConfiguration -State Enabled -Router ROUTER", "Restart-Service iphlpsvc"),
    hides=tuple(code for code in _NO_ADDRESS if code != "ISATAP-DEFAULT"),
)
def default_state(facts: Facts) -> Iterator[tuple[str, ...] | Case]:
    """State default with a router name set, or in a role that needs it; of a machine of no known role a note."""
    found, router = facts.isatap_state, facts.isatap_router
    named = router is not None and bool(router.value)
    modern = facts.build is None or facts.build >= OFF_BY_DEFAULT
    if wanted(facts) and modern and found is not None and found.value == "default":
        told = named or facts.role == "manager"
        yield Case((found.quote,), severity=None if told else "note")


@rule(
    "ISATAP-NO-ADAPTER",
    "error",
    "ISATAP is enabled but there is no ISATAP adapter",
    cause="IP Helper could not make it: hidden left-over adapters stand in its way, or the device is missing.",
    remedy=(
        "Device Manager, show hidden devices, remove every 'Microsoft ISATAP Adapter'",
        "Restart-Service iphlpsvc",
        "Get-NetAdapter -IncludeHidden | Where-Object InterfaceDescription -like '*ISATAP*'",
    ),
    hides=("ISATAP-LINK-LOCAL-ONLY", "ISATAP-NO-ROUTE", "ISATAP-DISCONNECTED"),
)
def no_adapter(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Enabled, interfaces are known, none is ISATAP's."""
    if wanted(facts) and enabled(facts) and facts.interfaces and not facts.of_kind("isatap"):
        assert facts.isatap_state is not None
        yield (facts.isatap_state.quote, f"{len(facts.interfaces)} interfaces, none of them ISATAP")


@rule(
    "ISATAP-NO-NAME",
    "error",
    "the ISATAP router's name cannot be resolved",
    cause="Without an IPv4 address of the router nobody is asked for a prefix: the adapter has only an "
    "fe80 address.",
    remedy=(
        "Resolve-DnsName ROUTER -Type A   (on this machine; the record is wanted in the intranet's DNS)",
        "manageout rollout hosts-file   (for a single machine without DNS)",
        "Restart-Service iphlpsvc   (else the name is asked for again only after up to a day)",
    ),
    hides=("ISATAP-LINK-LOCAL-ONLY", "ISATAP-NO-ROUTE", "ISATAP-DISCONNECTED"),
)
def no_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Every look-up of the router's name failed."""
    lookups = router_lookup(facts)
    resolved = any(isinstance(address, IPv4Address) for lookup in lookups for address in lookup.addresses)
    if wanted(facts) and active(facts) and lookups and not resolved:
        yield tuple(lookup.quote for lookup in lookups)


@rule(
    "ISATAP-NO-ROUTER",
    "error",
    "ISATAP is enabled without a router's name",
    cause="Then Windows looks for the bare name 'isatap', which DNS servers block and which should not exist.",
    remedy=("Set-NetIsatapConfiguration -State Enabled -Router ROUTER", "Restart-Service iphlpsvc"),
    hides=("ISATAP-NO-NAME", "ISATAP-LINK-LOCAL-ONLY", "ISATAP-NO-ROUTE", "ISATAP-DISCONNECTED"),
)
def no_router(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Enabled, no name, no address."""
    found = facts.isatap_router
    by_policy = facts.isatap_policy_router is not None and facts.isatap_policy_router.value
    addressed = any(one.ipv6 for one in facts.of_kind("isatap"))
    if (
        wanted(facts)
        and enabled(facts)
        and found is not None
        and not found.value
        and not by_policy
        and not addressed
    ):
        yield (found.quote,)


@rule(
    "ISATAP-BARE-NAME",
    "warning",
    "this machine follows the bare name 'isatap'",
    cause="Every machine with ISATAP looks for that name: what works here catches others too, and the "
    "query block "
    "list of Windows' DNS servers answers nothing for it.",
    remedy=("choose a unique name, register it, and set it on the managers: manageout rollout gpo",),
)
def bare_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The configured name is the bare one."""
    found = facts.isatap_policy_router or facts.isatap_router
    if wanted(facts) and found is not None and found.value.lower().split(".")[0] == "isatap":
        yield (found.quote,)


_SILENT = (
    "no router advertisement came back: the router is down, does not forward or advertise, does not allow this "
    "machine, or IP protocol 41 is filtered between them."
)
_ASK_ROUTER = (
    "manageout hosts, manageout drops   (on the router: has it seen this machine, has it refused it?)",
    "on a Windows router: forwarding, advertising and a published route (SERVER-... findings)",
    "on firewalls: IP protocol 41 both ways between this machine and the router",
    "Restart-Service iphlpsvc   (a router that is new in the DNS is taken up only after up to a day)",
)


@rule(
    "ISATAP-LINK-LOCAL-ONLY",
    "error",
    "the ISATAP adapter has only an fe80 address",
    cause=f"The router's name has no address here (an adapter that is Enabled shows fe80 then too), or it has one and "
    f"{_SILENT}",
    remedy=("Resolve-DnsName ROUTER -Type A   (the router's name, on this machine)", *_ASK_ROUTER),
    hides=("ISATAP-NO-ROUTE", "ISATAP-NO-GATEWAY"),
)
def link_local_only(facts: Facts) -> Iterator[Case]:
    """A link-local address and no other on every ISATAP adapter."""
    live = addressed(facts)
    if wanted(facts) and live and not any(one.ipv6 for one in live):
        quotes = tuple(f"{one.quote or one.name}: {one.printed(one.link_local)}" for one in live)
        known = _router_known(facts)
        cause = f"The router's name is known, but {_SILENT}" if known else ""
        yield Case(quotes, cause=cause, remedy=_ASK_ROUTER if known else ())


def _router_known(facts: Facts) -> bool:
    """Whether the machine has an IPv4 address of the router: as its setting, by a look-up, or by a ping of the name."""
    named = facts.isatap_policy_router or facts.isatap_router
    name = named.value.lower().rstrip(".") if named is not None and named.value else "isatap"
    pinged = any(
        isinstance(one.address, IPv4Address) and not one.literal and name in one.quote.lower()
        for one in facts.pings
    )
    looked = any(
        isinstance(address, IPv4Address) for one in router_lookup(facts) for address in one.addresses
    )
    return looked or pinged or name.replace(".", "").isdigit()


@rule(
    "ISATAP-NO-ROUTE",
    "error",
    "an ISATAP address, but no route to the clients through it",
    cause="The router advertises a prefix, but neither itself as a default router nor routes to the "
    "client prefixes; "
    "Windows' router does so when its default route is not published.",
    remedy=(
        "on our router: isatap.advertise, or isatap.default_route = true",
        "on a Windows router: Set-NetIPInterface -InterfaceIndex N -AdvertiseDefaultRoute Enabled",
    ),
)
def no_route(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Addressed, routes known, none of them through a next hop on an ISATAP interface."""
    live = [one for one in addressed(facts) if one.ipv6]
    if not wanted(facts) or not live or facts.routes is None:
        return
    indexes = {one.index for one in live}
    if not any(route.next_hop is not None and route.interface in indexes for route in facts.routes):
        yield tuple(f"{one.quote or one.name}: {one.printed(one.ipv6)}, no next hop" for one in live)


@rule(
    "ISATAP-DISCOVERY-OFF",
    "error",
    "router discovery is off on the ISATAP interface",
    cause="Advertisements are ignored, so neither prefix nor route is taken.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -RouterDiscovery Enabled",),
    hides=("ISATAP-LINK-LOCAL-ONLY", "ISATAP-NO-ROUTE", "ISATAP-DISCONNECTED"),
)
def discovery_off(facts: Facts) -> Iterator[Case]:
    """RouterDiscovery disabled."""
    for one in facts.of_kind("isatap"):
        if wanted(facts) and one.router_discovery is not None and not one.router_discovery.value:
            yield Case((one.router_discovery.quote,), {"N": one.index})


@rule(
    "ISATAP-FORWARDS",
    "warning",
    "a manager forwards on its ISATAP interface",
    cause="Only routers should; a host with two ISATAP interfaces may carry traffic in a circle.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -Forwarding Disabled -Advertising Disabled",),
)
def forwards(facts: Facts) -> Iterator[Case]:
    """Forwarding or advertising on a host."""
    for one in facts.of_kind("isatap"):
        found = one.forwarding if one.forwarding and one.forwarding.value else one.advertising
        if facts.role == "manager" and found is not None and found.value:
            yield Case((found.quote,), {"N": one.index})


@rule(
    "ISATAP-SEVERAL",
    "note",
    "several ISATAP adapters hold addresses",
    cause="There is one for each network card with an IPv4 address (and for a VPN); the one that counts "
    "has the GUID "
    "of the intranet's card.",
    remedy=("Get-NetAdapter | Format-Table Name, ifIndex, InterfaceGuid   (compare with isatap.{GUID})",),
)
def several(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one live adapter."""
    live = addressed(facts)
    if wanted(facts) and len(live) > 1:
        yield tuple(one.quote or one.name for one in live)


@rule(
    "ISATAP-BEHIND-NAT",
    "error",
    "ISATAP from behind a NAT",
    cause="The address in the tunnel embeds a private IPv4 address, but the router is on the Internet: "
    "its answers "
    "cannot come back, and NATs do not pass protocol 41.",
    remedy=("be a remote client (IP-HTTPS) instead: manageout connect, or the client policy",),
    hides=("ISATAP-LINK-LOCAL-ONLY",),
)
def behind_nat(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A private host and a public router."""
    routers = [a for lookup in router_lookup(facts) for a in lookup.addresses if isinstance(a, IPv4Address)]
    own = [
        v4
        for one in addressed(facts)
        for a in one.link_local
        if (v4 := embedded_isatap(a.packed)) is not None
    ]
    private = [IPv4Address(v4) for v4 in own if not is_global(v4)]
    if wanted(facts) and private and routers and all(is_global(router.packed) for router in routers):
        yield (f"own address {private[0]}, router {routers[0]}",)


@rule(
    "ISATAP-MTU",
    "warning",
    "the ISATAP interface has an unusual MTU",
    cause="1280 always fits; above 1480 nothing fits through an Ethernet of 1500 bytes.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -NlMtuBytes 1280",),
)
def mtu(facts: Facts) -> Iterator[Case]:
    """Outside 1280 to 1480."""
    for one in addressed(facts):
        if one.mtu is not None and not 1280 <= one.mtu <= 1480:
            yield Case((f"{one.quote or one.name}: MTU {one.mtu}",), {"N": one.index})


@rule(
    "ISATAP-CLIENT-TOO",
    "note",
    "this manager is itself a remote client",
    cause="From outside it needs no ISATAP: client to client goes through the gateway, if policy.hairpin "
    "allows it.",
    remedy=(
        "policy.hairpin = true on the gateway, and a firewall rule on the clients for the client prefix",
    ),
)
def client_too(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP and IP-HTTPS on one machine."""
    if enabled(facts) and facts.iphttps_url is not None and facts.isatap_state is not None:
        yield facts.isatap_state.quote, facts.iphttps_url.quote
