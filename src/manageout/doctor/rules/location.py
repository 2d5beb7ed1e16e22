"""Whether a remote client believes that it is inside, and whether DirectAccess calls itself connected."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from manageout.doctor.facts import Facts
from manageout.doctor.rules.client import inner, location
from manageout.doctor.rules.iphttps import tunnel_up
from manageout.doctor.rules.nrpt import covers
from manageout.doctor.rules.rule import Case, Theme
from manageout.windows.policies import ASSISTANT

rule = Theme()


@rule("LOCATION-STRANDED")
def stranded(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Said to be outside, or not connected, in a network with the domain's controllers or its DNS suffix."""
    outside = facts.connection if facts.inside is None else None if facts.inside.value else facts.inside
    known = facts.networks if facts.networks and facts.networks.value == {"domainauthenticated"} else None
    if outside is not None and known is not None and not tunnel_up(facts):
        yield outside.quote, known.quote
        return
    for one in facts.interfaces if outside is not None and facts.nrpt and not tunnel_up(facts) else ():
        if one.suffix and one.ipv4 and any(covers(r.namespace, f"x.{one.suffix}") for r in facts.nrpt or []):
            assert outside is not None
            yield outside.quote, f"{one.name}: DNS suffix {one.suffix}, {one.ipv4[0]}"
            return


@rule("LOCATION-FAILED")
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
    yield Case(tuple(quotes), variant=word)


_SUBSTATUS = (
    "remotenetworkauthenticationfailure",
    "nameresolutionfailure",
    "couldnotcontactdirectaccessserver",
)
"""Of Get-DAConnectionStatus, lower case; each has words of its own."""


@rule("LOCATION-PROBE")
def probe(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Looked up, and the address is not among the answers."""
    if facts.probe is None or (facts.inside is not None and facts.inside.value):
        return
    name, address = facts.probe.value
    lookups = [lookup for lookup in facts.lookups if lookup.name.lower().rstrip(".") == name]
    if lookups and ip_address(address) not in {a for lookup in lookups for a in lookup.addresses}:
        yield facts.probe.quote, *(lookup.quote for lookup in lookups)


@rule("LOCATION-NO-PING")
def no_ping(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Probes are configured, and none of them is a PING."""
    probes = rf"{ASSISTANT}\Probes".lower()
    names = {name: seen for (key, name), seen in facts.registry.items() if key == probes}
    if names and not any(name.startswith("ping:") for name in names):
        yield tuple(seen.quote for seen in names.values())


@rule("LOCATION-ASSISTANT")
def assistant(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Get-DAConnectionStatus failed, or the service is stopped on a client."""
    found = facts.services.get("ncasvc")
    if found is not None and not found.value and facts.inside is None and facts.connection is None:
        yield (found.quote,)


@rule("LOCATION-UNREACHED")
def location_unreached(facts: Facts) -> Iterator[Case]:
    """Its name led to an address of the intranet, TCP 443 failed there, and the machine is not known to be outside."""
    host = location(facts)
    well = facts.tcp.get((host, 443)) if host else None
    outside = tunnel_up(facts) or (facts.inside is not None and not facts.inside.value)
    if well is not None and not well.value and inner(well) and not outside:
        yield Case((well.quote,), {"NAME": host})
