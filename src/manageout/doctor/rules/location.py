"""Whether a remote client believes that it is inside, and whether DirectAccess calls itself connected."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from manageout.doctor.facts import Facts, Lookup
from manageout.doctor.rules.evidence import (
    ended,
    inner,
    location,
    location_certificates,
    location_url,
    locations,
    of_intranets,
    quotes,
    stated,
)
from manageout.doctor.rules.iphttps import no_ipsec, tunnel_up
from manageout.doctor.rules.nrpt import HTTPS, covers, passed_by
from manageout.doctor.rules.rule import Case, Theme
from manageout.windows.policies import ASSISTANT, CONNECTIVITY, IPHTTPS, NRPT, TRANSITION

rule = Theme()


@rule("LOCATION-STRANDED")
def stranded(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Said to be outside, or not connected, in a network with the domain's controllers or its DNS suffix."""
    outside = facts.connection if facts.inside is None else None if facts.inside.value else facts.inside
    if outside is None or tunnel_up(facts):
        return
    if facts.networks is not None and facts.networks.value == {"domainauthenticated"}:
        yield quotes(outside, facts.networks)
        return
    for one in facts.interfaces:
        if one.suffix and one.ipv4 and any(covers(r.namespace, f"x.{one.suffix}") for r in facts.nrpt or []):
            yield outside.quote, f"{one.name}: DNS suffix {one.suffix}, {one.ipv4[0]}"
            return


@rule("LOCATION-FAILED")
def failed(facts: Facts) -> Iterator[Case]:
    """Get-DAConnectionStatus with another status than connected."""
    if facts.connection is None or any(isinstance(one, Case) and one.severity for one in probe(facts)):
        return
    word = next((word for word in _SUBSTATUS if word in facts.connection.value.lower()), "")
    if word != _SUBSTATUS[0] and any(no_ipsec(facts)):
        return  # it says more
    status = facts.iphttps_status if tunnel_up(facts) else None
    seen = quotes(facts.connection, status, facts.ipsec) if word else quotes(facts.connection)
    word = "tunnel-up" if word == _SUBSTATUS[-1] and status is not None else word
    yield Case(seen, variant=word)


_SUBSTATUS = (
    "remotenetworkauthenticationfailure",
    "nameresolutionfailure",
    "couldnotcontactdirectaccessserver",
)
"""Of Get-DAConnectionStatus, lower case; each has words of its own."""


@rule("LOCATION-EXPIRED")
def expired(facts: Facts) -> Iterator[Case]:
    """Every certificate for the location server's name, in a store of any machine here, has ended."""
    elsewhere = not location(facts) and any(map(location, facts.beside))
    for host in sorted(locations(facts)) if not elsewhere else ():
        held = location_certificates(facts, host)
        if held and all(ended(where, one) for where, one in held):
            tried = [one for place, one in facts.tcp.items() if place == (host, HTTPS) and not one.value]
            yield Case(quotes(*(one for _, one in held), held[0][0].date, *tried), {"NAME": host})


@rule("LOCATION-REFUSED")
def refused(facts: Facts) -> Iterator[Case]:
    """The location server's page was asked for, and its certificate not taken."""
    for host, why in facts.tls.items():
        if host in locations(facts):
            yield Case((why.quote, *quotes(location_url(facts))), {"NAME": host}, _REFUSED.get(why.value, ""))


_REFUSED = {"revocation": "revocation", "expired": "expired"}


@rule("LOCATION-PROBE")
def probe(facts: Facts) -> Iterator[Case]:
    """Looked up as the name rules say, and the address is not among the answers; an error where the machine says that
    it is not connected though its tunnel is up."""
    if stated(facts.inside, True):
        return
    asked = [lookup for lookup in facts.lookups if passed_by(facts, lookup) is None]
    if facts.probe is not None:
        name, address = facts.probe.value
        lookups = [one for one in asked if one.name.lower().rstrip(".") in (name, name.partition(".")[0])]
        wrong = ip_address(address) not in {a for lookup in lookups for a in lookup.addresses}
    else:
        lookups = [one for one in asked if one.name.lower().partition(".")[0] == PROBE]
        found = [address for lookup in lookups for address in lookup.addresses]
        wrong = not any(map(_of_probe, found)) if found else _zone_known(asked, lookups)
    told = (facts.told.no_probe,) if facts.told.no_probe and not (lookups and not wrong) else ()
    if (lookups and wrong) or told:
        up = tunnel_up(facts)
        answers = any(one.addresses for one in asked if _zone(one) in set(map(_zone, lookups)))
        cause = facts.connection is not None and (up or answers or told or any(map(_itself, lookups)))
        said = quotes(facts.connection, facts.iphttps_status if up else None) if cause else ()
        yield Case((*quotes(facts.probe, *lookups), *told, *said), severity="error" if cause else None)


PROBE = "directaccess-corpconnectivityhost"
"""What DirectAccess calls the name that must be answered, where the policy does not show it."""


def _of_probe(address: IPv4Address | IPv6Address) -> bool:
    """127.0.0.1, as it is, in NAT64's prefix or by IPv6."""
    return address.is_loopback or (address.version == 6 and int(address) & 0xFFFFFFFF == 0x7F000001)


def _zone_known(asked: list[Lookup], failed: list[Lookup]) -> bool:
    """Whether a server that did not find the name found another of its zone: others do not know the intranet's."""
    known = {(one.server, _zone(one)) for one in asked if one.addresses}
    return any((one.server, _zone(one)) in known or _itself(one) for one in failed)


def _itself(lookup: Lookup) -> bool:
    """Whether the zone's own server has said that it has no such record: dnscmd, Get-DnsServerResourceRecord."""
    return "9714" in lookup.error or "NAME_DOES_NOT_EXIST" in lookup.error


def _zone(lookup: Lookup) -> str:
    return lookup.name.lower().rstrip(".").partition(".")[2]


@rule("LOCATION-NO-PING")
def no_ping(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Probes are configured, or were looked for, and none of them is a PING."""
    probes = rf"{ASSISTANT}\Probes".lower()
    names = {name: seen for (key, name), seen in facts.registry.items() if key == probes}
    if not any(name.startswith("ping:") for name in names):
        yield (*quotes(*names.values()), *facts.lacks(probes, "ping:", listed=True))


@rule("LOCATION-ASSISTANT")
def assistant(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Get-DAConnectionStatus failed, or the service is stopped on a client."""
    if facts.inside is None and facts.connection is None:
        yield stated(facts.services.get("ncasvc"), False)


@rule("LOCATION-PUBLIC")
def public(facts: Facts) -> Iterator[Case]:
    """The location server's name leads to an address of no intranet; an error where a machine that has an address of a
    home network gets its page there, or believes that it is inside."""
    if stated(facts.inside, False) or stated(facts.networks, frozenset({"domainauthenticated"})):
        return
    if any(
        not of_intranets(each) and not each.is_link_local for one in facts.interfaces for each in one.ipv4
    ):
        return  # an intranet with public addresses
    hosts = locations(facts)
    named = [one for one in facts.lookups if one.name.lower().rstrip(".") in hosts]
    found = [one for one in named if one.addresses and not any(map(of_intranets, one.addresses))]
    pages = [
        well for (name, port), well in facts.tcp.items() if name in hosts and port == HTTPS and well.value
    ]
    open_pages = [well for well in pages if well.address is not None and not of_intranets(well.address)]
    inside = stated(facts.inside, True)
    if open_pages or found or (inside and facts.told.outside and any(one.address is None for one in pages)):
        sure = bool(inside or open_pages)
        said = (*inside, *quotes(*(open_pages or pages), *found))
        yield Case(said, severity=None if sure else "warning")


@rule("LOCATION-UNREACHED")
def location_unreached(facts: Facts) -> Iterator[Case]:
    """Its name led to an address of the intranet, or the machine stands inside, TCP 443 failed there, and the machine
    is not known to be outside."""
    outside = (
        tunnel_up(facts) or facts.told.outside or (stated(facts.inside, False) and not facts.told.inside)
    )
    for host in locations(facts) if not outside else ():
        well = facts.tcp.get((host, HTTPS))
        if well is not None and not well.value and (inner(well) or facts.told.inside):
            yield Case((well.quote, *(() if inner(well) else (facts.told.inside,))), {"NAME": host})


@rule("LOCATION-NOT-SET-UP")
def not_set_up(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Get-DAConnectionStatus printed nothing, or the policy's keys are not there, and nothing shows settings of
    DirectAccess."""
    absent = [
        quote
        for (key, name), quote in facts.absent.items()
        if key in _CLIENTS and name in ("", _CLIENTS[key])
    ]
    quote = facts.nothing.get("get-daconnectionstatus") or next(iter(absent), "")
    known = facts.iphttps_url is not None or facts.nrpt or facts.probe is not None
    other = facts.of_kind("iphttps") or facts.role in ("server", "manager") or facts.of_kind("isatap")
    if quote and not (known or other):
        yield (quote,)


_CLIENTS = {
    IPHTTPS.lower(): "iphttps_clienturl", NRPT.lower(): "", CONNECTIVITY.lower(): "domainlocationdeterminationurl",
}  # fmt: skip
"""Keys of the clients' policy, each with a value that it must hold."""


@rule("CLIENT-FORCE-TUNNEL")
def force_tunnel(facts: Facts) -> Iterator[Case]:
    """By policy; a warning where somebody complains of the Internet."""
    found = facts.value(TRANSITION, "Force_Tunneling")
    if found is not None and str(found.value).lower() in ("enabled", "1", "true"):
        told = facts.told.internet
        yield Case((found.quote, *((told,) if told else ())), severity="warning" if told else None)
