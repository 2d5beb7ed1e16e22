"""Everything that has to do with ISATAP in a site: hosts, records, names, policies; from every source that is there.

A source that was asked for by name must be readable; of the others, those that are not are listed as not seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manageout.directory.ad.domain import Domain
from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.zone_records import ZoneRecord, bounded, from_file, transferred
from manageout.errors import ManageoutError
from manageout.retire.census import hosts as census_hosts
from manageout.retire.census import names as census_names
from manageout.retire.census import policies as census_policies
from manageout.retire.census.hosts import ZoneAddresses
from manageout.retire.rows import CensusHost, PolicySetting, PublishedName
from manageout.service.process.rows import HostRow
from manageout.service.state.hosts import saved_hosts, stored_hosts
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

MAX_LOOKUPS = 500
"""Names asked for one by one, where a zone cannot be read."""
THIS_ROUTER = "this router"


@dataclass(frozen=True)
class Sources:
    """Where to look, beside what the site file and this machine say."""

    state_dir: Path
    registries: tuple[Path, ...] = ()
    servers: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    zone_files: tuple[Path, ...] = ()
    key_file: Path | None = None
    policies: tuple[Path, ...] = ()
    domain: Domain | None = None


@dataclass
class Census:
    """What was found. Rows as they are stored."""

    hosts: dict[str, CensusHost] = field(default_factory=dict)
    names: list[PublishedName] = field(default_factory=list)
    policies: list[PolicySetting] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    """Sources that could not be read, and why."""
    figures: dict[str, int] = field(default_factory=dict)

    def found(self) -> dict[str, Mapping[str, Mapping[str, object]]]:
        """For :meth:`manageout.service.state.retire.RetireStore.record`."""
        names = {f"{row['name']} {row['place']}": row for row in self.names}
        policies = {f"{number:05}": row for number, row in enumerate(self.policies)}
        unseen = {f"{number:05}": {"what": what} for number, what in enumerate(self.unseen)}
        return {"host": self.hosts, "name": names, "policy": policies, "unseen": unseen}


def take(site: Site, plan: Plan, sources: Sources, now: float) -> Census:
    """Count. Raises :class:`ManageoutError` when a source that was asked for cannot be read."""
    return _Taking(site, plan, sources).take(now)


class _Taking:
    def __init__(self, site: Site, plan: Plan, sources: Sources) -> None:
        self._site, self._plan, self._sources = site, plan, sources
        domain = [site.site.domain] if site.site.domain else []
        names_zone = [site.names.zone] if site.names and site.names.zone else []
        self._zones = list(dict.fromkeys([*sources.zones, *domain, *names_zone]))
        self._servers = census_names.servers(site, sources.servers)
        self._answering = census_names.answering(self._servers)
        self._wanted = census_names.names(site, self._zones)
        self._addresses = ZoneAddresses()
        self._published: dict[str, list[ZoneRecord]] = {}
        self._census = Census()

    def take(self, now: float) -> Census:
        census, sources = self._census, self._sources
        if sources.domain is not None:
            self._directory(sources.domain)
        for path in sources.policies:
            census.policies += census_policies.of_path(path)
        if sources.domain is None and not sources.policies:
            census.unseen.append("group policies: give --ad, or --policies with backups or a report")
        for path in sources.zone_files:
            self._keep(path.name, from_file(path, self._zones[0] if self._zones else ""))
        self._transfers()
        routers = self._routers()
        rows = [row for found in routers.values() for row in found]
        census_names.name(rows, self._answering, MAX_LOOKUPS)
        if any(zone not in self._published for zone in self._zones):
            self._keep("", census_names.lookups(rows, self._answering, MAX_LOOKUPS))
        prefixes = [self._plan.isatap_prefix, *(self._site.isatap.retired if self._site.isatap else ())]
        census.hosts = census_hosts.combined(routers, self._addresses, prefixes)
        census.names = census_names.published(self._wanted, self._servers, self._published)
        if not self._answering:
            census.unseen.append("who publishes the names: no DNS server answers here, give --dns")
        on = {row["guid"] or row["policy"] for row in census.policies if census_policies.turns_on(row)}
        census.figures = {
            **census_hosts.figures(census.hosts.values(), now),
            "published names": len({row["name"] for row in census.names if row["values"]}),
            "policies": len(on),
            "unseen sources": len(census.unseen),
        }
        return census

    def _directory(self, domain: Domain) -> None:
        found = domain.census()
        self._census.policies += census_policies.of_directory(found["policies"])
        records = [ZoneRecord(*record) for record in found["records"]]
        for zone in found["zones"]:
            self._published[zone.lower()] = []
        self._keep(f"{domain.name} in Active Directory", iter(records))

    def _transfers(self) -> None:
        """From the first server that lets us; zones that the directory or a file has told are known."""
        known = bool(self._sources.zone_files)
        for zone in self._zones:
            asked_for = zone in self._sources.zones and not self._sources.zone_files
            if zone in self._published or (known and not asked_for):
                self._published.setdefault(zone, [])
                continue
            fault: ManageoutError | None = None
            for server in self._answering:
                try:
                    self._keep(zone, transferred(zone, server, self._key()))
                    break
                except ManageoutError as error:
                    fault = fault or error
            else:
                if asked_for and fault is not None:
                    raise fault
                text = fault.message if fault else f"zone {zone}: no DNS server answers here"
                self._census.unseen.append(f"{text}; {fault.hint if fault else 'give --dns'}")

    def _key(self) -> KeySigner | None:
        table, file = self._site.names, self._sources.key_file
        if file is None and table and table.authentication == "tsig":
            file = table.key_file
        return KeySigner(file) if file is not None else None

    def _keep(self, place: str, records: Iterable[ZoneRecord]) -> None:
        found = census_names.interesting(self._addresses.add(bounded(records)), self._wanted)
        if place:
            self._published[place] = found

    def _routers(self) -> dict[str, list[HostRow]]:
        """Rows by router."""
        prefix = self._plan.isatap_prefix.network_address.packed[:8]
        routers = {path.stem: saved_hosts(path) for path in self._sources.registries}
        here = list(stored_hosts(self._sources.state_dir, prefix))
        if here:
            routers[THIS_ROUTER] = here
        elif not routers:
            what = f"no registry of ISATAP hosts in {self._sources.state_dir}"
            self._census.unseen.append(f"{what}: run it on the router, or --registry")
        return routers
