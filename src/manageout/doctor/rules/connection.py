"""A remote client: whether DirectAccess calls itself connected, its name rules as a whole, its firewall as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from manageout.doctor.facts import Facts, NrptRule
from manageout.doctor.findings import Case, rule
from manageout.doctor.rules.client import MANAGED, rule_of
from manageout.doctor.rules.iphttps import NOT_CONNECTED, tunnel_up
from manageout.windows.policies import ASSISTANT, NRPT
from manageout.wire.address import embedded_isatap

_LOCAL = ("localsubnet", "localsubnet4", "localsubnet6")


def _ipv4_only(texts: tuple[str, ...]) -> bool:
    try:
        return bool(texts) and all(isinstance(ip_address(text), IPv4Address) for text in texts)
    except ValueError:
        return False


@rule(
    "IPHTTPS-NO-URL",
    "error",
    "name rules for outside, but no gateway",
    cause="The client policy has reached this machine in part only: intranet names are sent to a server beyond a "
    "tunnel that nothing opens.",
    remedy=(
        "gpresult /r /scope computer   (is the client policy applied, all of it?)",
        "gpupdate /force   (in the office, or through another VPN)",
    ),
    hides=NOT_CONNECTED,
)
def no_url(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The section was read and holds no URL."""
    rules = [one for one in facts.nrpt or [] if one.direct and one.servers]
    if rules and facts.iphttps_url is None and "iphttpsConfiguration" in facts.sections:
        yield rules[0].quote, "Get-NetIPHttpsConfiguration: no URL"


@rule(
    "NRPT-OFF",
    "error",
    "the name rules are switched off",
    cause="EnableDAForAllNetworks is DisableDA: no DirectAccess rule is followed in any network.",
    remedy=("Set-DnsClientNrptGlobal -EnableDAForAllNetworks EnableOnNetworkID   (or in the client policy)",),
    hides=("NRPT-MISSING", *NOT_CONNECTED),
)
def rules_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """DisableDA."""
    if facts.nrpt_for is not None and facts.nrpt_for.value == "disableda":
        yield (facts.nrpt_for.quote,)


@rule(
    "NRPT-OVERRIDDEN",
    "warning",
    "name rules by group policy silence the machine's own",
    cause="Once the policy's key DnsPolicyConfig is there, Windows follows the rules in it alone, even when it holds "
    "none. Those that a VPN or another client has set on the machine are then dead. A policy that was taken away may "
    "leave the empty key behind.",
    remedy=(
        "Get-DnsClientNrptPolicy   (what is in effect)",
        rf'reg delete "HKLM\{NRPT}" /f   (only when it is empty; then gpupdate /force, restart Dnscache)',
        "or put the other client's rules into the same group policy",
    ),
)
def overridden(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The key is there, and rules of the machine itself are not in effect; or it is there and empty."""
    local = [one for one in facts.nrpt_local or [] if not _in_effect(facts, one)]
    empty = facts.nrpt_policy is not None and facts.nrpt_policy.value == 0 and facts.nrpt_local != []
    if facts.nrpt_policy is not None and (local or empty):
        yield (facts.nrpt_policy.quote, *(one.quote for one in local))
    elif facts.nrpt is not None and (dead := [one for one in local if facts.nrpt or not one.direct]):
        names = ", ".join(one.namespace for one in facts.nrpt)
        yield (*(one.quote for one in dead), f"in effect: {names or 'none'}")


def _in_effect(facts: Facts, wanted: NrptRule) -> bool:
    """Whether the effective table holds this rule; a table that is not known holds none."""
    return any(
        one.namespace.lower() == wanted.namespace.lower() and set(one.servers) == set(wanted.servers)
        for one in facts.nrpt or []
    )


@rule(
    "NRPT-IPV4-SERVER",
    "error",
    "a name rule sends queries to an IPv4 address",
    cause="Outside a client reaches the intranet over IPv6 only. The rule must name the gateway's DNS64 address, even "
    "where the DNS servers have addresses of their own.",
    remedy=(
        "set the rule to the DNS64 address: manageout plan shows it, manageout rollout gpo renders the rule",
    ),
    hides=NOT_CONNECTED,
)
def ipv4_server(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule of DirectAccess all of whose servers are IPv4."""
    for one in facts.nrpt or []:
        if one.direct and _ipv4_only(one.servers):
            yield (one.quote,)


@rule(
    "NRPT-FALLBACK",
    "note",
    "intranet names are asked of any network when the tunnel is down",
    cause="SecureNameQueryFallback is FallbackUnsecure: every hotspot sees the names of your servers, and may answer "
    "them.",
    remedy=("Set-DnsClientNrptGlobal -SecureNameQueryFallback FallbackPrivate   (or in the client policy)",),
)
def fallback(facts: Facts) -> Iterator[tuple[str, ...]]:
    """FallbackUnsecure."""
    if facts.nrpt_fallback is not None and facts.nrpt_fallback.value == "fallbackunsecure":
        yield (facts.nrpt_fallback.quote,)


@rule(
    "NRPT-NSLOOKUP",
    "note",
    "nslookup does not follow the name rules",
    cause="It asks the network's own DNS server, which does not know the name. That says nothing about what programs "
    "get.",
    remedy=(
        "Resolve-DnsName NAME   (follows the rules)",
        "or nslookup NAME SERVER with the rule's own server",
    ),
)
def nslookup(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A failed nslookup of a name for which there is a rule with servers, at another server."""
    for lookup in facts.lookups:
        found = rule_of(facts, lookup.name)
        failed = lookup.server and not lookup.addresses
        if failed and found is not None and found[1] and lookup.server not in found[1]:
            yield lookup.quote, found[2]


@rule(
    "LOCATION-FAILED",
    "error",
    "DirectAccess says that it is not connected",
    cause="Nothing else in this evidence says why. The word behind the status tells where it stopped.",
    remedy=(
        "CouldNotContactDirectAccessServer: Test-NetConnection GATEWAY -Port 443",
        "NameResolutionFailure: Resolve-DnsName of an intranet name; is the DNS64 address reached?",
        "RemoteNetworkAuthenticationFailure: certificate and clock of the computer, IPsec on the server",
        "Restart-Service iphlpsvc   (if it comes and goes)",
    ),
    hides=("LOCATION-PROBE", "IPSEC-NONE"),
)
def failed(facts: Facts) -> Iterator[Case]:
    """Get-DAConnectionStatus with another status than connected."""
    if facts.connection is None:
        return
    word = next((word for word in _SUBSTATUS if word in facts.connection.value.lower()), "")
    quotes = [facts.connection.quote]
    if word and tunnel_up(facts) and facts.iphttps_status is not None:
        quotes.append(facts.iphttps_status.quote)
    if word and facts.ipsec is not None:
        quotes.append(facts.ipsec.quote)
    yield Case(tuple(quotes), {}, *_SUBSTATUS.get(word, ()))


_SUBSTATUS: dict[str, tuple[str, tuple[str, ...]]] = {
    "remotenetworkauthenticationfailure": (
        "The way to the server is there, and IPsec in it does not authenticate: the computer's certificate is missing, "
        "has expired or is of another authority than the server wants, a clock is wrong, or the account of the "
        "computer is disabled.",
        (
            "certutil -store my   (a computer certificate of the authority that the server trusts, valid today)",
            "Get-NetIPsecMainModeSA   (nothing: the first handshake fails already)",
            "w32tm /query /status   (more than 5 minutes off, and Kerberos fails)",
            "on the server: Get-RemoteAccess | Select-Object IPsecRootCertificate, ComputerCertAuthentication",
        ),
    ),
    "nameresolutionfailure": (
        "The tunnel is there, and the DNS server that the name rules point to does not answer: DNS64 on the server, "
        "its firewall, or IPsec to it.",
        (
            "netsh namespace show effectivepolicy   (which DNS server is asked?)",
            "Resolve-DnsName NAME -Server DNS64-ADDRESS   (does it answer?)",
        ),
    ),
    "couldnotcontactdirectaccessserver": (
        "Neither IP-HTTPS nor another transition technology reaches the server.",
        ("netsh interface httpstunnel show interfaces", "Test-NetConnection GATEWAY -Port 443"),
    ),
}
"""Of Get-DAConnectionStatus, lower case -> cause and remedies."""


@rule(
    "IPSEC-NONE",
    "warning",
    "IP-HTTPS is up, and IPsec is not",
    cause="There is no security association: to a DirectAccess server nothing passes without. A gateway of ours needs "
    "none.",
    remedy=(
        "certutil -store my   (a computer certificate of the authority that the server trusts, valid today)",
        "w32tm /query /status   (more than 5 minutes off, and Kerberos fails)",
        "netsh advfirewall show currentprofile   (the firewall must be on: IPsec's rules are the firewall's)",
    ),
)
def no_ipsec(facts: Facts) -> Iterator[tuple[str, ...]]:
    """No main mode association, though the tunnel is up, and no word that the machine is connected."""
    if facts.ipsec is not None and facts.ipsec.value == 0 and tunnel_up(facts) and facts.inside is None:
        status = (facts.iphttps_status,) if facts.iphttps_status is not None else ()
        yield (facts.ipsec.quote, *(seen.quote for seen in status))


@rule(
    "LOCATION-PROBE",
    "warning",
    "the connection's probe is answered wrongly",
    cause="Windows calls itself connected only when a certain name gives a certain address. Removing one of two "
    "DirectAccess deployments deletes the record, and clients then flap between 'connecting' and transports.",
    remedy=(
        "register the name again: A 127.0.0.1 and AAAA NAT64-PREFIX::7f00:1",
        "Get-NCSIPolicyConfiguration   (the name, and the address that it must have)",
    ),
)
def probe(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Looked up, and the address is not among the answers."""
    if facts.probe is None or (facts.inside is not None and facts.inside.value):
        return
    name, address = facts.probe.value
    lookups = [lookup for lookup in facts.lookups if lookup.name.lower().rstrip(".") == name]
    if lookups and ip_address(address) not in {a for lookup in lookups for a in lookup.addresses}:
        yield facts.probe.quote, *(lookup.quote for lookup in lookups)


@rule(
    "LOCATION-NO-PING",
    "warning",
    "the connectivity assistant has nothing to ping",
    cause="At least one of its probes must be PING:..., else it never calls the client connected.",
    remedy=(
        "add a resource PING:NAME to the client policy (Network Connectivity Assistant, Corporate Resources)",
    ),
)
def no_ping(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Probes are configured, and none of them is a PING."""
    probes = rf"{ASSISTANT}\Probes".lower()
    names = {name: seen for (key, name), seen in facts.registry.items() if key == probes}
    if names and not any(name.startswith("ping:") for name in names):
        yield tuple(seen.quote for seen in names.values())


@rule(
    "FIREWALL-OFF",
    "warning",
    "the client's firewall is off outside",
    cause="Its rules do not count then, neither those for managers nor the IPsec rules that DirectAccess needs.",
    remedy=(
        "Set-NetFirewallProfile -Profile Private,Public -Enabled True   (or in the policy that switches it off)",
    ),
    hides=("FIREWALL-CLOSED", "FIREWALL-PROFILE", "FIREWALL-SCOPE", "FIREWALL-EDGE", "FIREWALL-NO-IPV6"),
)
def firewall_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Disabled in the private or the public profile of a client."""
    if facts.role == "client" and facts.firewall_off is not None and facts.firewall_off.value:
        yield (facts.firewall_off.quote,)


@rule(
    "FIREWALL-NO-IPV6",
    "warning",
    "a firewall rule lets in the local network or IPv4 alone",
    cause="Managers come over IPv6 from the ISATAP prefix, or from the NAT64 prefix, which is neither. Windows' own "
    "rules for WinRM and for echo are such rules.",
    remedy=("a rule for the managers' prefixes on Private and Public: manageout rollout gpo renders it",),
)
def no_ipv6(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Of a managed port, no rule that applies outside has a scope with IPv6 from elsewhere."""
    for port in sorted(MANAGED) if facts.role == "client" else ():
        rules = [
            r for r in facts.firewall or [] if port in r.ports and r.profiles & {"any", "public", "private"}
        ]
        if rules and all(r.remote and all(map(_near, r.remote)) for r in rules):
            yield tuple(r.quote for r in rules)


def _near(scope: str) -> bool:
    """The local network, or an IPv4 address, network or range."""
    return scope.lower() in _LOCAL or (scope[:1].isdigit() and ":" not in scope)


@rule(
    "DNS-IPV4-LITERAL",
    "error",
    "an IPv4 address of the intranet is called, which no tunnel carries",
    cause="Outside a client speaks IPv6 only: DNS64 makes an address out of a name, and the gateway's NAT64 translates "
    "it. An IPv4 address that a program holds itself goes to the network here. Only Windows with a CLAT could turn it.",
    remedy=(
        "give the program the name instead of the address, or NAT64ADDRESS",
        "netsh interface clat show global   (newest Windows 11 alone has it)",
    ),
)
def ipv4_literal(facts: Facts) -> Iterator[Case]:
    """An IPv4 address that was typed does not answer, and an IPv6 address that ends in it does."""
    failed = {one.address: one.quote for one in facts.pings if one.literal and not one.answered}
    failed |= {
        address: one.quote
        for (name, _), one in facts.tcp.items()
        if not one.value and (address := one.address) is not None and name == str(address)
    }
    reached = [(one.address, one.quote) for one in facts.pings if one.answered]
    reached += [
        (one.address, one.quote) for one in facts.tcp.values() if one.value and one.address is not None
    ]
    for address, quote in reached:
        if isinstance(address, IPv6Address) and not embedded_isatap(address.packed):
            inner = IPv4Address(address.packed[12:])
            if inner in failed:
                told = (facts.clat.quote,) if facts.clat is not None else ()
                yield Case((failed[inner], quote, *told), {"NAT64ADDRESS": address})
