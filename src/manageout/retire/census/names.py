"""Who publishes `isatap` and the router's name: every DNS server is asked by itself, and zones are read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from manageout.directory.dns.zone_records import ZoneRecord
from manageout.retire.rows import PublishedName
from manageout.service.probe import dns as probe_dns
from manageout.service.probe.results import DnsAnswer
from manageout.service.process.rows import HostRow
from manageout.site.tables.site import Site

BARE = "isatap"


def names(site: Site, zones: Iterable[str]) -> list[str]:
    """What ISATAP hosts look for in this site."""
    found = [f"{BARE}.{zone}" for zone in (site.site.domain, *zones) if zone]
    if site.isatap is not None and site.isatap.name:
        found.append(site.isatap.name.lower())
    return list(dict.fromkeys(found))


def servers(site: Site, given: Sequence[str]) -> list[str]:
    """Those given, of the site file, of this machine, and of the domain's NS records; each once."""
    known = [*given, *(site.dns64.upstreams if site.dns64 else ())]
    known += site.names.servers if site.names else ()
    known = list(dict.fromkeys([*known, *probe_dns.system_servers()]))
    found = list(known)
    if site.site.domain and known:
        for answer in probe_dns.ask_all([(site.site.domain, "NS")], known[:1]):
            for host in answer.records:
                found += probe_dns.ask(host, "A", known[0]).records
    return list(dict.fromkeys(found))[: probe_dns.MAX_SERVERS]


def answering(asked: Sequence[str]) -> list[str]:
    """Those that answer at all: a thousand questions are not asked of a server that is down."""
    return [answer.server for answer in probe_dns.ask_all([(".", "SOA")], asked) if answer.rcode]


def published(
    wanted: Sequence[str], asked: Sequence[str], zones: Mapping[str, Sequence[ZoneRecord]]
) -> list[PublishedName]:
    """A row for each name on each server, and for each in a zone that was read."""
    answers = probe_dns.ask_all([(name, kind) for name in wanted for kind in ("A", "AAAA")], asked)
    rows = _of_zones(wanted, zones)
    there = {row["name"] for row in rows}
    for name in wanted:
        for server in asked:
            said = [answer for answer in answers if (answer.name, answer.server) == (name, server)]
            rows.append(_of_server(name, server, said, name in there))
    return rows


def name(hosts: Iterable[HostRow], asked: Sequence[str], limit: int) -> None:
    """Give hosts without a name the one of their address, if it has one."""
    nameless = [row for row in hosts if not row["name"]][:limit]
    questions = [(probe_dns.reverse_name(row["ipv4"]), "PTR") for row in nameless]
    for row, answer in zip(nameless, probe_dns.ask_all(questions, asked[:1]), strict=False):
        row["name"] = answer.records[0].lower() if answer.records else ""


def lookups(hosts: Iterable[HostRow], asked: Sequence[str], limit: int) -> Iterator[ZoneRecord]:
    """AAAA records of hosts whose names are known, where their zones cannot be read."""
    wanted = list(dict.fromkeys(row["name"].lower() for row in hosts if row["name"]))[:limit]
    for answer in probe_dns.ask_all([(name, "AAAA") for name in wanted], asked[:1]):
        yield from (ZoneRecord(answer.name, "AAAA", value) for value in answer.records)


def _of_zones(wanted: Sequence[str], zones: Mapping[str, Sequence[ZoneRecord]]) -> list[PublishedName]:
    rows = [
        PublishedName(name=name, place=f"zone {zone}", values=sorted(values), said="", blocked=False)
        for zone, records in zones.items()
        for name in wanted
        if (values := {record.value for record in records if record.name == name})
    ]
    return rows


def _of_server(name: str, server: str, answers: Sequence[DnsAnswer], in_zone: bool) -> PublishedName:
    values = sorted({value for answer in answers for value in answer.records})
    said = "" if values else next((answer.rcode or answer.error for answer in answers), "")
    # The global query block list of a Windows DNS server answers as if there were no such record.
    blocked = in_zone and not values and said in ("NXDOMAIN", "NOERROR")
    return {"name": name, "place": server, "values": values, "said": said, "blocked": blocked}


def interesting(records: Iterable[ZoneRecord], wanted: Sequence[str]) -> list[ZoneRecord]:
    """Records of these names; the rest is not kept."""
    names = set(wanted)
    return [record for record in records if record.name in names]
