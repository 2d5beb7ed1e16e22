"""Who needs ISATAP, and what will serve them instead: the census held against the record of calls. Pure.

A host *initiates* when it called a client by ISATAP in the time that is looked at; it *holds* an address when a router
saw it in that time; else it is *gone*. Whoever initiates is served by native IPv6 where the DNS knows such an address
of the host and the gateway's policy allows it every service that it called, by a lease where translation and policy
allow them, else by nothing yet, and then each obstacle is named.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from manageout.retire.census.hosts import fresh
from manageout.retire.rows import CensusHost, HostVerdict, OpenedService, service_name, services
from manageout.service.policy.sessions import Mechanism
from manageout.service.state.usage import Usage
from manageout.service.usage.rows import MANY
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.site.tables.translation import ManagerTable
from manageout.wire.address import is_address

TRANSLATED = ("tcp", "udp", "icmp")
MAX_OPENS = 100
"""Services of one host that are listed."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class LeaseGateway:
    """The machine that gives leases: its site file and what follows from it."""

    site: Site
    plan: Plan


@dataclass
class HostVerdicts:
    """A verdict for each host, by IPv4 address."""

    verdicts: dict[str, HostVerdict] = field(default_factory=dict)
    blockers: list[str] = field(default_factory=list)
    """What stands in the way of everybody."""
    figures: dict[str, int] = field(default_factory=dict)


def judge(
    hosts: Iterable[CensusHost], calls: Iterable[Usage], gateway: LeaseGateway, since: float
) -> HostVerdicts:
    """``hosts``: of the census; ``calls``: recorded ones; both are looked at from ``since`` on."""
    known = {row["ipv4"]: row for row in hosts}
    by_isatap: dict[str, list[Usage]] = {}
    already: dict[str, Counter[str]] = {}
    natives = {address: v4 for v4, row in known.items() for address in row["native"]}
    clients: set[str] = set()
    for call in calls:
        if call.last < since:
            continue
        manager = natives.get(call.manager, call.manager)
        if call.way == Mechanism.ISATAP:
            by_isatap.setdefault(manager, []).append(call)
            clients.add(call.client)
        else:
            already.setdefault(manager, Counter())[call.way] += call.calls
    for manager in by_isatap:
        if manager not in known and manager != MANY:
            known[manager] = fresh(IPv4Address(manager))
    found = HostVerdicts(blockers=general_blockers(gateway, len(clients)))
    general = list(found.blockers)
    if MANY in by_isatap:
        found.blockers.append("more hosts called clients in a day than the record lists: some are not judged")
    for ipv4, host in sorted(known.items(), key=lambda item: IPv4Address(item[0])):
        mine = by_isatap.get(ipv4, [])
        found.verdicts[ipv4] = _verdict(host, mine, already.get(ipv4, Counter()), gateway, since, general)
    found.figures = _figures(found)
    return found


def caveats(site: Site) -> list[str]:
    """What the record of this router's calls cannot know."""
    if site.isatap is not None and site.isatap.default_route:
        unknown = "what hosts send elsewhere than to clients is not recorded, ask them"
        return [f"isatap.default_route is on: {unknown}"]
    return []


def general_blockers(gateway: LeaseGateway, clients: int) -> list[str]:
    """Why nobody can call clients by their leases. ``clients``: that were called."""
    translation, leases = gateway.site.translation, gateway.plan.leases
    if gateway.site.gateway is None:
        remedy = "give the gateway's file with --gateway"
        return [f"this site file is no gateway's, so nobody has a lease: {remedy}"]
    if translation is None or leases is None:
        return ["clients have no leases: the gateway's site file has no [translation] table"]
    found = []
    if translation.masquerade:
        found.append("translation.masquerade hides leases: nobody can call them")
    room = leases.num_addresses - (2 if leases.prefixlen < 31 else 0)
    if clients > room:
        found.append(f"the pool {leases} has room for {room} clients, and {clients} were called")
    return found


def lease_blockers(host: CensusHost, opens: Iterable[OpenedService], site: Site) -> list[str]:
    """Services that ``host`` has called and may not, or cannot, call by lease."""
    opens = list(opens)
    strange = services([each for each in opens if each["protocol"] not in TRANSLATED])
    found = [f"{name} is not translated: it needs native IPv6" for name in strange]
    translated = [each for each in opens if each["protocol"] in TRANSLATED]
    return found + _forbidden(host, [IPv4Address(host["ipv4"])], translated, site, " by lease")


def native_blockers(host: CensusHost, opens: Iterable[OpenedService], site: Site) -> list[str]:
    """The same by native IPv6. A gateway that is not ours has its own policy, and nobody here knows it."""
    addresses = [IPv6Address(text) for text in host["native"]]
    if not addresses:
        return ["the DNS knows no native IPv6 address of it"]
    return _forbidden(host, addresses, opens, site) if site.gateway is not None else []


def _forbidden(
    host: CensusHost, sources: Sequence[Address], opens: Iterable[OpenedService], site: Site, way: str = ""
) -> list[str]:
    names = {host["name"].lower(), *(record["name"] for record in host["records"])} - {""}
    tables = [table for table in site.policy.managers if _from(sources, names, table)]
    found: dict[str, None] = {}
    for each in opens:
        protocol, port, client = each["protocol"], each["port"], each["client"]
        if not any(_to(client, table) and table.allows(protocol, port) for table in tables):
            what = service_name(protocol, port) + ("" if client == MANY else f" of {client}")
            found[f"no [[policy.managers]] table lets {sources[0]} call {what}{way}"] = None
    return list(found)


def _verdict(
    host: CensusHost,
    calls: list[Usage],
    already: Counter[str],
    gateway: LeaseGateway,
    since: float,
    general: list[str],
) -> HostVerdict:
    opens = _opens(calls)
    kind = "initiates" if calls else "holds" if host["last_seen"] >= since else "gone"
    serves, blockers = "", []
    if calls:
        native = native_blockers(host, opens, gateway.site)
        lease = [*general, *lease_blockers(host, opens, gateway.site)]
        serves = "native" if not native else "lease" if not lease else "nothing"
        blockers = [*lease, *(native if host["native"] else [])]
    return {
        "ipv4": host["ipv4"],
        "name": host["name"],
        "class": kind,
        "last_seen": host["last_seen"],
        "last_call": max((call.last for call in calls), default=0),
        "calls": sum(call.calls for call in calls),
        "opens": opens[:MAX_OPENS],
        "already": dict(already),
        "serves": serves,
        "blockers": blockers if serves == "nothing" else [],
        "native": host["native"],
    }


def _opens(calls: Iterable[Usage]) -> list[OpenedService]:
    """One row a client and service, the busiest first."""
    found: dict[tuple[str, str, int], OpenedService] = {}
    for call in calls:
        client, protocol, port = call.client, call.protocol, call.port
        fresh_row = OpenedService(client=client, protocol=protocol, port=port, calls=0, unanswered=0, last=0)
        row = found.setdefault((client, protocol, port), fresh_row)
        row["calls"] += call.calls
        row["unanswered"] += call.unanswered
        row["last"] = max(row["last"], call.last)
    return sorted(found.values(), key=lambda row: (-row["calls"], row["client"], row["port"]))


def _from(sources: Sequence[Address], names: set[str], manager: ManagerTable) -> bool:
    return any(
        source in names if isinstance(source, str) else any(address in source for address in sources)
        for source in manager.source
    )


def _to(client: str, manager: ManagerTable) -> bool:
    """A client of whom only the address is known, or "many": only a rule for everybody is sure to mean it."""
    named = client != MANY and not is_address(client)
    return manager.calls(client) if named else "*" in manager.to


def _figures(found: HostVerdicts) -> dict[str, int]:
    kinds = Counter(row["class"] for row in found.verdicts.values())
    serves = Counter(row["serves"] for row in found.verdicts.values())
    return {
        "hosts": len(found.verdicts),
        "initiate": kinds["initiates"],
        "only hold an address": kinds["holds"],
        "gone": kinds["gone"],
        "served by native IPv6": serves["native"],
        "served by a lease": serves["lease"],
        "served by nothing yet": serves["nothing"],
        "calls": sum(row["calls"] for row in found.verdicts.values()),
    }


def ready(verdict: HostVerdict) -> bool:
    """Whether the host may let go without losing anything."""
    return verdict["serves"] != "nothing"
