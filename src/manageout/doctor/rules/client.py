"""A remote client: IP-HTTPS and its error codes, Teredo, name-resolution policy, location, firewall."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from manageout.doctor.facts import Facts
from manageout.doctor.findings import Look, rule

IPHTTPS = r"SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition\IPHTTPS\IPHTTPSInterface"
CONNECTIVITY = r"SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityStatusIndicator\CorporateConnectivity"
MANAGED = frozenset({"22", "3389", "5985", "5986", "2701"})
NOT_CONNECTED = ("LOCATION-FAILED", "LOCATION-PROBE", "NRPT-NSLOOKUP")
"""What a client shows while its tunnel is down."""
_KNOWN = (0x103, 0x2AF9, 0x2AFC, 0x274C, 0x34, 0x643)


def _code(number: int) -> Look:
    def look(facts: Facts) -> Iterator[tuple[str, ...]]:
        found = facts.iphttps_error
        if found is not None and found.value == number:
            yield (found.quote, *((facts.iphttps_status.quote,) if facts.iphttps_status else ()))

    return look


def _iphttps(code: str, title: str, cause: str, remedy: tuple[str, ...], number: int) -> None:
    rule(code, "error", title, cause=cause, remedy=remedy, hides=NOT_CONNECTED)(_code(number))


_iphttps(
    "IPHTTPS-CERTIFICATE",
    "IP-HTTPS finds no usable certificate (0x103)",
    "The computer has no certificate of the authority that the gateway asks for, or it has expired.",
    ("certlm.msc: a computer certificate with client authentication", "gpupdate /force; certutil -pulse"),
    0x103,
)
_iphttps(
    "IPHTTPS-NAME",
    "the gateway's name cannot be resolved (0x2AF9)",
    "The name in the URL has no record in the public DNS, or the name-resolution policy sends it into the "
    "tunnel that it "
    "is to open.",
    ("Resolve-DnsName GATEWAY", "exempt the gateway's name: rollout.gateway_name does"),
    0x2AF9,
)
_iphttps(
    "IPHTTPS-NO-DATA",
    "the gateway's name is there but no connection comes about (0x2AFC)",
    "A proxy or NAT in between, or the server does not publish the client prefix.",
    ("try from another network", "on the gateway: manageout status, manageout drops"),
    0x2AFC,
)
_iphttps(
    "IPHTTPS-TIMEOUT",
    "the gateway does not answer (0x274C)",
    "TCP 443 does not reach it: a firewall, a wrong address, or the gateway is down.",
    ("Test-NetConnection GATEWAY -Port 443", "on the gateway: manageout status"),
    0x274C,
)
_iphttps(
    "IPHTTPS-CREATE",
    "the IP-HTTPS interface cannot be made (0x34)",
    "An interface of that name exists, mostly a left-over.",
    (
        "Device Manager, hidden devices: remove every 'Microsoft IP-HTTPS Platform Adapter'",
        "Restart-Service iphlpsvc",
    ),
    0x34,
)
_iphttps(
    "IPHTTPS-INSTALL",
    "the IP-HTTPS adapter cannot be installed (0x643)",
    "Left-over adapters, or DisabledComponents in the registry.",
    ("Device Manager, hidden devices: remove old IP-HTTPS adapters", "look for DisabledComponents"),
    0x643,
)


@rule(
    "IPHTTPS-OTHER",
    "error",
    "IP-HTTPS does not work, with a code that has no rule here",
    cause="The code is Windows' own; the gateway's log may say more.",
    remedy=(
        "certutil -error CODE   (what Windows calls it)",
        "on the gateway: journalctl -u manageout, manageout drops",
    ),
    hides=NOT_CONNECTED,
)
def other_code(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Any other than 0 and the known ones."""
    found = facts.iphttps_error
    if found is not None and found.value and found.value not in _KNOWN:
        yield (found.quote, *((facts.iphttps_status.quote,) if facts.iphttps_status else ()))


@rule(
    "IPHTTPS-OFF",
    "error",
    "group policy switches IP-HTTPS off",
    cause="The policy 'Set IP-HTTPS State' is Disabled for this machine.",
    remedy=("gpresult /h report.html   (shows which policy)", "take the machine out of it"),
    hides=("IPHTTPS-OTHER", *NOT_CONNECTED),
)
def off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """IPHTTPS_ClientState = 3."""
    found = facts.value(IPHTTPS, "IPHTTPS_ClientState")
    if found is not None and found.value == 3:
        yield (found.quote,)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


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
    hides=("IPHTTPS-NAME", *NOT_CONNECTED),
)
def gateway_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule with servers covers the URL's host."""
    host = _host(facts.iphttps_url.value) if facts.iphttps_url else None
    found = rule_of(facts, host) if host else None
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
    host = _host(str(url.value)) if url is not None else None
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
    """Said to be outside, with an interface in the intranet's DNS domain."""
    if facts.inside is None or facts.inside.value or not facts.nrpt:
        return
    for one in facts.interfaces:
        if one.suffix and one.ipv4 and any(_covers(r.namespace, f"x.{one.suffix}") for r in facts.nrpt):
            yield facts.inside.quote, f"{one.name}: DNS suffix {one.suffix}, {one.ipv4[0]}"
            return


@rule(
    "TEREDO-OFFLINE",
    "note",
    "Teredo does not work here",
    cause="UDP 3544 is filtered, or the client is in a managed network where Teredo keeps quiet. IP-HTTPS "
    "takes its place.",
    remedy=(
        "nothing, if IP-HTTPS works",
        "netsh interface teredo set state type=enterpriseclient   (in a managed network)",
    ),
)
def teredo(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Offline or with an error though it is on."""
    on = facts.teredo_type is not None and facts.teredo_type.value not in ("disabled", "default")
    if on and (facts.teredo_error or (facts.teredo_state and facts.teredo_state.value == "offline")):
        yield tuple(seen.quote for seen in (facts.teredo_state, facts.teredo_error) if seen is not None)


@rule(
    "FIREWALL-PROFILE",
    "error",
    "the client's firewall lets managers in only in the office",
    cause="Outside the client is in the Public or Private profile, never in Domain: rules for Domain "
    "alone do not apply.",
    remedy=(
        "rules on the profiles Private and Public, scoped to the managers: manageout rollout gpo renders them",
    ),
    hides=("FIREWALL-SCOPE",),
)
def firewall_profile(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Rules for a managed port, none of which applies outside."""
    if facts.role != "client":
        return
    for port in sorted(MANAGED):
        rules = [one for one in facts.firewall or [] if port in one.ports]
        if rules and not any(one.profiles & {"any", "public", "private"} for one in rules):
            yield tuple(one.quote for one in rules)


@rule(
    "FIREWALL-CLOSED",
    "error",
    "the client's firewall has no rule for managers",
    cause="No inbound rule allows remote desktop, SSH, WinRM or remote control. DirectAccess' own client policy "
    "loses its firewall rules whenever the wizard is run again: they belong into a policy of their own.",
    remedy=("manageout rollout gpo   (renders the rules for policy.managers)",),
)
def firewall_closed(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The section is there, and holds none of the ports."""
    if (
        facts.role == "client"
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
def firewall_scope(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A scope with the one and without the other."""
    for one in facts.firewall or []:
        text = " ".join(one.remote).lower()
        if facts.role == "client" and (":0:5efe:" in text) != (":200:5efe:" in text):
            yield (one.quote,)


@rule(
    "FIREWALL-EDGE",
    "warning",
    "a firewall rule without edge traversal, and the client uses Teredo",
    cause="What comes through Teredo is dropped without it; through IP-HTTPS the same rule works.",
    remedy=(
        "netsh advfirewall firewall set rule name=RULE dir=in new edge=yes",
        "or switch Teredo off: IP-HTTPS suffices",
    ),
)
def firewall_edge(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Teredo is qualified, and the rule of a managed port or of ICMPv6 lacks it."""
    if facts.role != "client" or facts.teredo_state is None or facts.teredo_state.value != "qualified":
        return
    for one in facts.firewall or []:
        if (set(one.ports) & MANAGED or one.protocol == "ICMPv6") and not one.edge:
            yield one.quote, facts.teredo_state.quote
