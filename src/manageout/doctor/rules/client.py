"""A remote client: IP-HTTPS and its error codes, Teredo, name-resolution policy, location, firewall."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from manageout.doctor.facts import Facts, FirewallRule
from manageout.doctor.findings import Case, gateway, rule
from manageout.doctor.rules.iphttps import NOT_CONNECTED, tunnel_up
from manageout.windows.policies import CONNECTIVITY
from manageout.wire.address import TEREDO

HTTPS = 443
MANAGED = frozenset({"22", "3389", "5985", "5986", "2701"})


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def location(facts: Facts) -> str:
    """The host of the location server's URL, lower case; empty without one."""
    url = facts.value(CONNECTIVITY, "DomainLocationDeterminationUrl")
    return (url and _host(str(url.value))) or ""


def _covers(namespace: str, name: str) -> bool:
    space = namespace.lower()
    return name.endswith(space) if space.startswith(".") else name == space


def rule_of(facts: Facts, name: str) -> tuple[str, tuple[str, ...], str] | None:
    """The most specific rule for a name: namespace, servers, quote."""
    fitting = [one for one in facts.nrpt or [] if _covers(one.namespace, name.lower())]
    best = max(fitting, key=lambda one: len(one.namespace), default=None)
    return (best.namespace, best.servers, best.quote) if best else None


@rule(
    "NRPT-GATEWAY",
    "error",
    "the gateway's own name goes into the tunnel",
    cause="The name-resolution policy covers the name in the URL, so it is asked of a DNS server that can "
    "be reached only "
    "once the tunnel is up.",
    remedy=(
        "exempt it: rollout.gateway_name in the site file, or an NRPT rule for the name without a server",
    ),
    hides=("IPHTTPS-NAME", "IPHTTPS-PROXY", *NOT_CONNECTED),
)
def gateway_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule with servers covers the URL's host. Not while the tunnel is up: then the name did resolve."""
    host = gateway(facts)
    found = rule_of(facts, host) if host and not tunnel_up(facts) else None
    if found is not None and found[1] and facts.iphttps_url is not None:
        yield facts.iphttps_url.quote, found[2]


@rule(
    "NRPT-LOCATION",
    "error",
    "the location server's name goes into the tunnel",
    cause="Whether the machine is inside is found out by a name that must not be reachable from outside; "
    "through the tunnel "
    "it is, and inside machines lose their names when it is down.",
    remedy=(
        "exempt it: rollout.location_url in the site file, or an NRPT rule for the name without a server",
    ),
)
def location_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule with servers covers the location URL's host."""
    url = facts.value(CONNECTIVITY, "DomainLocationDeterminationUrl")
    host = location(facts)
    found = rule_of(facts, host) if host else None
    if found is not None and found[1] and url is not None:
        yield url.quote, found[2]


@rule(
    "NRPT-MISSING",
    "error",
    "outside, but without a name-resolution policy",
    cause="The client has a gateway and knows that it is outside, yet no rule sends the intranet's names "
    "there.",
    remedy=(
        "gpupdate /force   (through the tunnel)",
        "Get-DnsClientNrptPolicy   (must list the intranet's domain)",
        "gpresult /r /scope computer   (the client policy must be applied: is the machine in its group?)",
        "or the user has chosen Disconnect, which takes the rules away: choose Connect",
    ),
    hides=NOT_CONNECTED,
)
def no_rules(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A URL, outside, no rule."""
    outside = facts.inside is not None and not facts.inside.value
    if outside and facts.iphttps_url is not None and facts.nrpt == [] and facts.inside is not None:
        yield facts.iphttps_url.quote, facts.inside.quote


@rule(
    "LOCATION-STRANDED",
    "error",
    "inside, but the machine believes that it is outside",
    cause="The network location server did not answer, so the name-resolution policy stays on and "
    "intranet names are asked "
    "of a DNS server beyond a tunnel that does not come up from inside.",
    remedy=(
        "look at the location server: certificate, revocation list, name, TCP 443",
        "ipconfig /flushdns; gpupdate /force",
    ),
    hides=("IPHTTPS-TIMEOUT", "IPHTTPS-NO-DATA", "IPHTTPS-OTHER", *NOT_CONNECTED),
)
def stranded(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Said to be outside, or not connected, with an interface in the intranet's DNS domain."""
    outside = facts.connection if facts.inside is None else None if facts.inside.value else facts.inside
    for one in facts.interfaces if outside is not None and facts.nrpt and not tunnel_up(facts) else ():
        if one.suffix and one.ipv4 and any(_covers(r.namespace, f"x.{one.suffix}") for r in facts.nrpt or []):
            assert outside is not None
            yield outside.quote, f"{one.name}: DNS suffix {one.suffix}, {one.ipv4[0]}"
            return


@rule(
    "TEREDO-OFFLINE",
    "warning",
    "Teredo does not work here",
    cause="UDP 3544 is filtered, its server does not answer (probe), or the client is in a managed network where "
    "Teredo keeps quiet. IP-HTTPS takes its place.",
    remedy=(
        "nothing, if IP-HTTPS works",
        "netsh interface teredo set state type=enterpriseclient   (in a managed network)",
    ),
)
def teredo(facts: Facts) -> Iterator[Case]:
    """Offline, still without an answer, or with an error though it is on; a note where IP-HTTPS is up. What has a
    state is not switched off."""
    if facts.teredo_type is not None and facts.teredo_type.value in ("disabled", "default"):
        return
    state = facts.teredo_state.value if facts.teredo_state is not None else ""
    if state in ("offline", "probe") or (facts.teredo_type is not None and facts.teredo_error is not None):
        seen = (facts.teredo_type, facts.teredo_state, facts.teredo_error)
        quotes = tuple(one.quote for one in seen if one is not None)
        managed = facts.teredo_error is not None and "managed network" in facts.teredo_error.value.lower()
        cause, remedy = _MANAGED_NETWORK if managed else ("", ())
        yield Case(quotes, {}, cause, remedy, severity="note" if tunnel_up(facts) else None)


_MANAGED_NETWORK = (
    "The client is in a managed network, one with a domain controller: there Teredo of the type client keeps quiet.",
    (
        "netsh interface teredo set state type=enterpriseclient   (or in the policy: Set Teredo State)",
        "or nothing, if IP-HTTPS works",
    ),
)


@rule(
    "FIREWALL-PROFILE",
    "error",
    "the client's firewall lets managers in only in the office",
    cause="Outside the client is in the Public or Private profile, never in Domain: rules for Domain "
    "alone do not apply.",
    remedy=(
        "rules on the profiles Private and Public, scoped to the managers: manageout rollout gpo renders them",
    ),
    hides=("FIREWALL-SCOPE", "FIREWALL-PORT"),
)
def firewall_profile(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Rules for a managed port, none of which applies outside; of a client, or of a machine that is outside now."""
    outside = facts.networks if facts.networks and facts.networks.value <= {"public", "private"} else None
    if not (_of_a_client(facts) or (facts.role == "unknown" and outside)):
        return
    for port in sorted({port for one in facts.firewall or [] if _for_managers(one) for port in one.ports}):
        rules = [one for one in facts.firewall or [] if port in one.ports]
        if not any(one.profiles & {"any", "public", "private"} for one in rules):
            yield (*(one.quote for one in rules), *([outside.quote] if outside else []))


@rule(
    "FIREWALL-PORT",
    "error",
    "a machine answers ping, but does not open the port",
    cause="The way to it and back is there. Its firewall drops the connection (outside a client is in the Public or "
    "Private profile, and rules of the office are for Domain), or the service does not run.",
    remedy=(
        "Get-NetFirewallPortFilter | Where-Object LocalPort -eq PORT | Get-NetFirewallRule   (there: Enabled, Profile)",
        "manageout rollout gpo   (renders the clients' rules for policy.managers)",
        "Get-NetTCPConnection -State Listen -LocalPort PORT   (there)",
    ),
)
def firewall_port(facts: Facts) -> Iterator[Case]:
    """Of what Test-NetConnection tried but https, which other rules judge."""
    for (_, port), found in facts.tcp.items():
        if found.pinged and not found.value and port != HTTPS:
            yield Case((found.quote,), {"PORT": port})


def _for_managers(one: FirewallRule) -> bool:
    """A rule for a port that managers use, for echo, or for ISATAP hosts, which managers alone are."""
    isatap = any(":5efe:" in scope.lower() for scope in one.remote)
    return bool(set(one.ports) & MANAGED) or one.protocol.upper() == "ICMPV6" or isatap


@rule(
    "FIREWALL-CLOSED",
    "error",
    "the client's firewall has no rule for managers",
    cause="No inbound rule allows remote desktop, SSH, WinRM or remote control. DirectAccess' own client policy "
    "loses its firewall rules whenever the wizard is run again: they belong into a policy of their own.",
    remedy=("manageout rollout gpo   (renders the rules for policy.managers)",),
)
def firewall_closed(facts: Facts) -> Iterator[tuple[str, ...]]:
    """All rules are there, and none is for the ports. A rule that was pasted alone says nothing of the others."""
    if (
        facts.role == "client"
        and "rules" in facts.sections
        and facts.firewall is not None
        and not any(set(r.ports) & MANAGED for r in facts.firewall)
    ):
        yield ("no inbound rule for TCP 22, 2701, 3389, 5985 or 5986",)


@rule(
    "FIREWALL-SCOPE",
    "warning",
    "a firewall rule covers one form of ISATAP addresses only",
    cause="Managers with a private IPv4 address come from ...:0:5efe:..., those with a public one from "
    "...:200:5efe:...",
    remedy=("both prefixes in the rule's scope: manageout rollout gpo renders both",),
)
def firewall_scope(facts: Facts) -> Iterator[Case]:
    """A scope with the one and without the other; a note where it is that of private addresses, as most are."""
    for one in facts.firewall or []:
        text = " ".join(one.remote).lower()
        if _of_a_client(facts) and (":0:5efe:" in text) != (":200:5efe:" in text):
            yield Case((one.quote,), severity="note" if ":0:5efe:" in text else None)


@rule(
    "FIREWALL-EDGE",
    "warning",
    "a firewall rule without edge traversal, and the client uses Teredo",
    cause="What comes through Teredo is dropped without it; through IP-HTTPS the same rule works.",
    remedy=(
        'netsh advfirewall firewall set rule name="RULE" dir=in new edge=yes',
        "or switch Teredo off: IP-HTTPS suffices",
    ),
)
def firewall_edge(facts: Facts) -> Iterator[Case]:
    """Teredo is in use, and a rule for managers does without."""
    teredo = _teredo_in_use(facts) if facts.role in ("client", "unknown") else ""
    for one in facts.firewall or []:
        if teredo and _for_managers(one) and one.edge is False:
            yield Case((one.quote, teredo), {"RULE": one.name})


def _of_a_client(facts: Facts) -> bool:
    """A client, or a machine that lets ISATAP hosts in, as only clients do."""
    scopes = " ".join(scope for one in facts.firewall or [] for scope in one.remote).lower()
    return facts.role == "client" or (facts.role == "unknown" and ":5efe:" in scopes)


def _teredo_in_use(facts: Facts) -> str:
    """The words that say so; empty when nothing does."""
    if facts.teredo_state is not None and facts.teredo_state.value == "qualified":
        return facts.teredo_state.quote
    held = [(one, address) for one in facts.interfaces for address in one.ipv6 if address in TEREDO]
    return f"{held[0][0].quote or held[0][0].name}: {held[0][1]}" if held else ""
