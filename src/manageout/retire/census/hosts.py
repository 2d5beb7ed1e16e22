"""Who is an ISATAP host: the registries of routers and the addresses in the DNS, put together by IPv4 address. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.directory.dns.zone_records import ZoneRecord
from manageout.retire.rows import CensusHost
from manageout.service.process.rows import HostRow
from manageout.wire.address import embedded_isatap, embedded_sixtofour

DAY = 86400
TEREDO = IPv6Network("2001::/32")
MAX_NATIVE = 8
"""Addresses of one name that are kept."""


class ZoneAddresses:
    """The AAAA records of many names; the rest of a zone passes by."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[IPv6Address]] = defaultdict(list)
        self._isatap: dict[IPv4Address, dict[IPv6Address, str]] = defaultdict(dict)

    def add(self, records: Iterable[ZoneRecord]) -> Iterator[ZoneRecord]:
        """Keep what is of use, and pass all of them on."""
        for record in records:
            if record.kind == "AAAA":
                with suppress(ValueError):
                    self._add(record.name, IPv6Address(record.value))
            yield record

    def _add(self, name: str, address: IPv6Address) -> None:
        v4 = embedded_isatap(address.packed)
        if v4 is not None:
            self._isatap[IPv4Address(v4)].setdefault(address, name)
        elif len(self._by_name[name]) < MAX_NATIVE and address not in self._by_name[name]:
            self._by_name[name].append(address)

    def isatap(self) -> Iterable[tuple[IPv4Address, Mapping[IPv6Address, str]]]:
        """IPv4 address -> its ISATAP addresses with their names."""
        return self._isatap.items()

    def native(self, name: str, v4: IPv4Address) -> list[str]:
        """Addresses of ``name`` that are no tunnel's."""
        known = (one for one in self._by_name.get(name, ()) if not one.is_link_local and not one.is_loopback)
        own = (one for one in known if one not in TEREDO and embedded_sixtofour(one.packed) != v4.packed)
        return list(map(str, own))


def combined(
    routers: Mapping[str, Iterable[HostRow]], addresses: ZoneAddresses, prefixes: Iterable[IPv6Network]
) -> dict[str, CensusHost]:
    """Hosts by IPv4 address. ``routers``: rows by router; ``prefixes``: of this site's ISATAP link, now or before."""
    hosts: dict[str, CensusHost] = {}
    for router, rows in routers.items():
        for row in rows:
            with suppress(ValueError):
                _seen(hosts.setdefault(row["ipv4"], fresh(IPv4Address(row["ipv4"]))), router, row)
    ours = list(prefixes)
    for v4, known in addresses.isatap():
        host = hosts.setdefault(str(v4), fresh(v4))
        for address, name in list(known.items())[:MAX_NATIVE]:
            host["records"].append({"name": name, "address": str(address)})
            host["name"] = host["name"] or name
            if not address.is_link_local and not any(address in prefix for prefix in ours):
                host["foreign"] = True
    for text, host in hosts.items():
        names = dict.fromkeys([host["name"], *(record["name"] for record in host["records"])])
        found = [each for name in names if name for each in addresses.native(name, IPv4Address(text))]
        host["native"] = list(dict.fromkeys([*host["native"], *found]))
    return hosts


def fresh(v4: IPv4Address) -> CensusHost:
    """A host of which only the address is known."""
    return {
        "ipv4": str(v4),
        "name": "",
        "routers": [],
        "first_seen": 0,
        "last_seen": 0,
        "packets": 0,
        "bytes": 0,
        "records": [],
        "native": [],
        "foreign": False,
    }


def figures(hosts: Iterable[CensusHost], now: float) -> dict[str, int]:
    """For the log and the report."""
    rows = list(hosts)
    seen = [now - row["last_seen"] for row in rows if row["last_seen"]]
    return {
        "hosts": len(rows),
        "seen in a day": sum(age <= DAY for age in seen),
        "seen in a week": sum(age <= 7 * DAY for age in seen),
        "seen in 30 days": sum(age <= 30 * DAY for age in seen),
        "only in the DNS": sum(not row["routers"] for row in rows),
        "records": sum(len(row["records"]) for row in rows),
        "of other routers": sum(row["foreign"] for row in rows),
        "with native IPv6": sum(bool(row["native"]) for row in rows),
        "packets": sum(row["packets"] for row in rows),
    }


def _seen(host: CensusHost, router: str, row: HostRow) -> None:
    host["routers"].append(router)
    host["name"] = host["name"] or row["name"]
    host["first_seen"] = min(filter(None, (host["first_seen"], row["first_seen"])), default=0)
    host["last_seen"] = max(host["last_seen"], row["last_rs"], row["last_packet"])
    host["packets"] += row["rx_packets"] + row["tx_packets"]
    host["bytes"] += row["rx_bytes"] + row["tx_bytes"]
