"""A DirectAccess server: policies that hit it, its name, its translator, Teredo in a farm, errors of its scripts."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network

from manageout.doctor.facts import Facts
from manageout.doctor.findings import rule
from manageout.doctor.rules.manager import OFF_BY_DEFAULT, router_lookup
from manageout.doctor.rules.server import is_server

NATIVE, SIX_TO_FOUR = IPv6Network("2000::/3"), IPv6Network("2002::/16")


@rule(
    "SERVER-POLICY-OFF",
    "error",
    "group policy switches ISATAP off on the server",
    cause="A policy that was meant for workstations reaches the DirectAccess server too, and wins over its settings.",
    remedy=(
        "gpresult /r /scope computer   (which policy; take the server out of it)",
        "gpupdate /force; Restart-Service iphlpsvc",
    ),
    hides=(
        "SERVER-NO-ISATAP",
        "SERVER-RESET",
        "SERVER-FORWARDING",
        "SERVER-ADVERTISING",
        "SERVER-ROUTE-UNPUBLISHED",
    ),
)
def policy_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State by policy is Disabled, or Default where that is the same."""
    found = facts.isatap_policy_state
    off = ("disabled", "default") if (facts.build or OFF_BY_DEFAULT) >= OFF_BY_DEFAULT else ("disabled",)
    if is_server(facts) and found is not None and found.value in off:
        yield (found.quote,)


@rule(
    "SERVER-NAME-UNPUBLISHED",
    "warning",
    "the name that hosts shall find this router by is not answered",
    cause="The record is missing, the DNS server is not reached, or the name is on its global query block list.",
    remedy=(
        "Resolve-DnsName ROUTER -Type A -Server DNSSERVER   (on each DNS server of the intranet)",
        "manageout rollout dns   (registers a unique name)",
    ),
)
def unpublished_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Every look-up of the router's name failed on the server."""
    lookups = router_lookup(facts)
    if is_server(facts) and lookups and not any(lookup.addresses for lookup in lookups):
        yield tuple(lookup.quote for lookup in lookups)


@rule(
    "SERVER-TRANSLATION-OFF",
    "error",
    "NAT64 or DNS64 is switched off on the server",
    cause="Remote clients speak IPv6 only: without both they reach nothing in an IPv4 intranet.",
    remedy=(
        "Set-NetNatTransitionConfiguration -State Enabled",
        "Set-NetDnsTransitionConfiguration -State Enabled",
    ),
)
def translation_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Either of them disabled."""
    off = [seen.quote for seen in (facts.nat64, facts.dns64) if seen is not None and not seen.value]
    if is_server(facts) and off:
        yield tuple(off)


@rule(
    "SERVER-DNS64-ONLY-A",
    "warning",
    "DNS64 hides the intranet's own IPv6 addresses",
    cause="It asks for A records alone, as DirectAccess sets it up; but this intranet has IPv6, and servers without "
    "IPv4 cannot be found.",
    remedy=("Set-NetDnsTransitionConfiguration -OnlySendAQuery $false",),
)
def only_a(facts: Facts) -> Iterator[tuple[str, ...]]:
    """OnlySendAQuery where the internal prefix is neither 6to4 nor local."""
    only, prefix = facts.dns64_only_a, facts.internal_prefix
    if only is None or not only.value or prefix is None or not is_server(facts):
        return
    if prefix.value.subnet_of(NATIVE) and not prefix.value.subnet_of(SIX_TO_FOUR):
        yield only.quote, prefix.quote


@rule(
    "FARM-TEREDO",
    "warning",
    "Teredo behind an external load balancer",
    cause="A Teredo address does not tell which node holds the client: what managers send reaches any of them. "
    "IP-HTTPS prefixes belong to one node each.",
    remedy=("Set-DAServer -TeredoState Disabled   (clients then take IP-HTTPS)",),
)
def farm_teredo(facts: Facts) -> Iterator[tuple[str, ...]]:
    """TeredoState Enabled with third-party load balancing."""
    teredo, balancing = facts.teredo_server, facts.load_balancing
    if teredo is not None and teredo.value and balancing is not None and balancing.value == "external":
        yield teredo.quote, balancing.quote


@rule(
    "SERVER-CERTIFICATE-ENDED",
    "error",
    "a certificate of the DirectAccess server has expired",
    cause="With SslCertificate no client connects over IP-HTTPS any more; with NlsCertificate machines inside believe "
    "that they are outside.",
    remedy=(
        "certutil -store my   (is there a newer one for the same name?)",
        "Set-RemoteAccess -SslCertificate (Get-Item Cert:\\LocalMachine\\My\\THUMBPRINT)   (of a new one)",
        "or Set-DANetworkLocationServer -NlsOnDAServer -Certificate (Get-Item Cert:\\LocalMachine\\My\\THUMBPRINT)",
    ),
)
def certificate_ended(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Its end, in whatever order of day and month, is past."""
    ended = [one for one in facts.certificates.values() if facts.read_at and one.value < facts.read_at]
    if ended:
        yield tuple(one.quote for one in ended)


@rule(
    "SERVER-ERROR-87",
    "error",
    "Windows refuses to set the ISATAP interface (error 87)",
    cause="The interface is none that can be a router: a disconnected one, that of another card, or one that Server "
    "2019 has left without its device. Microsoft does not support the role there.",
    remedy=(
        "Get-NetAdapter -IncludeHidden | Where-Object InterfaceDescription -like '*ISATAP*'   (which is up?)",
        "manageout rollout server-reset   (finds the right one)",
        "or an ISATAP router of ours in front of the farm",
    ),
)
def error_87(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Of PowerShell, pasted."""
    yield from ((line,) for line in facts.events if "Windows System Error 87" in line)


@rule(
    "SERVER-SCRIPT-NULL",
    "error",
    "a start-up script did not find the ISATAP adapter",
    cause="It looks for a name like isatap.{GUID}; with a DNS suffix on the card the adapter is called isatap.SUFFIX, "
    "and on some servers there is none.",
    remedy=("manageout rollout server-reset   (finds it by tunnel type)",),
)
def script_null(facts: Facts) -> Iterator[tuple[str, ...]]:
    """PowerShell's refusal of an empty index."""
    yield from ((line,) for line in facts.events if "ParameterArgumentValidationError" in line)
