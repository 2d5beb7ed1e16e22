"""Take out of the DNS exactly the records that are ISATAP's, and put the same ones back, with their TTLs."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import NamedTuple

from manageout.directory.dns.conditional import ConditionalUpdates, DnsRow
from manageout.directory.dns.zones import Place
from manageout.wire.address import embedded_isatap

KINDS = ("A", "AAAA", "TXT", "PTR")


class Removable(NamedTuple):
    """What is ISATAP's, and so may be taken out."""

    router_name: str
    """Of this site: lower case, whole."""
    routers: frozenset[IPv4Address]
    mark: str
    """With which our TXT record at the router's name begins."""
    prefixes: tuple[IPv6Network, ...]
    """Of the ISATAP links, former ones too."""

    def covers(self, name: str, row: DnsRow) -> bool:
        """Whether ``row`` at ``name`` may go.

        The routers' addresses at their name and at the bare ``isatap``, our mark, and addresses with an ISATAP
        identifier in a prefix of this site.
        """
        name = name.lower().rstrip(".")
        if row.kind == "A":
            ours = name == self.router_name or name.partition(".")[0] == "isatap"
            return ours and IPv4Address(row.text) in self.routers
        if row.kind == "AAAA":
            return self._is_isatap(IPv6Address(row.text))
        if row.kind == "TXT":
            return name == self.router_name and f"{row.text.strip(chr(34))} ".startswith(f"{self.mark} ")
        return False

    def _is_isatap(self, address: IPv6Address) -> bool:
        return embedded_isatap(address.packed) is not None and any(address in each for each in self.prefixes)


class IsatapRecords(ConditionalUpdates):
    """Reads, takes out and puts back. Every method raises :class:`RecordError`."""

    def read(self, name: str) -> tuple[Place | None, list[DnsRow]]:
        """Where the name is updated (None: in no zone of these servers), and what its primary server has there."""
        place = self.place(name)
        return place, [row for kind in KINDS for row in self.rows(name, kind, place)] if place else []

    def remove(self, name: str, place: Place, before: Iterable[DnsRow], rows: Iterable[DnsRow]) -> bool:
        """Take out ``rows``, if the name still has what it had ``before``; False when it has not."""
        before, rows = list(before), list(rows)
        update, owner = self.update(name, place)
        for kind in dict.fromkeys(row.kind for row in rows):
            update.present(owner, kind, *(row.text for row in before if row.kind == kind))
        for row in rows:
            update.delete(owner, row.kind, row.text)
        return self.send(name, update, place)

    def restore(self, name: str, place: Place, rows: Iterable[DnsRow]) -> None:
        """Put ``rows`` there; what is there already stays."""
        update, owner = self.update(name, place)
        for row in rows:
            update.add(owner, row.ttl, row.kind, row.text)
        self.send(name, update, place)
