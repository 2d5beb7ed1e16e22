"""The records that connected clients should have in the DNS, and what each server has."""

from collections.abc import Sequence
from typing import Literal

from manageout.service.probe import dns as probe_dns
from manageout.service.probe.results import DnsAnswer, DueRecord
from manageout.service.process.rows import LeaseRow
from manageout.site.tables.site import Site

MAX_CLIENTS = 50
"""So many leases are looked at; beyond, one fault shows itself anyway."""
Due = tuple[str, str, Literal["A", "AAAA", "PTR"], tuple[str, ...]]
"""Client, owner, kind and values of a record that should be there."""


def records(leases: Sequence[LeaseRow], site: Site, servers: Sequence[str]) -> list[DueRecord]:
    """For every lease that is held by somebody whose name is in our zone."""
    assert site.names is not None
    zone = (site.names.zone or site.site.domain).lower()
    wanted: list[Due] = []
    for lease in leases[:MAX_CLIENTS]:
        name = lease["name"]
        if lease["state"] == "held" and name.lower().endswith(f".{zone}"):
            wanted += _of_lease(lease, name, site.names.reverse)
    answers = probe_dns.ask_all([(owner, kind) for _, owner, kind, _ in wanted], servers)
    by_question: dict[tuple[str, str], list[DnsAnswer]] = {}
    for answer in answers:
        by_question.setdefault((answer.name, answer.kind), []).append(answer)
    return [
        DueRecord(client, owner, kind, values, tuple(by_question.get((owner, kind), ())))
        for client, owner, kind, values in wanted
    ]


def _of_lease(lease: LeaseRow, name: str, reverse: bool) -> list[Due]:
    addresses = (*((lease["address"],) if lease["address"] else ()), *lease["others"])
    due: list[Due] = [(name, name, "A", (str(lease["ipv4"]),))]
    if addresses:
        due.append((name, name, "AAAA", addresses))
    held = [value for value in (lease["ipv4"], lease["address"]) if value]
    if reverse:
        due += [(name, probe_dns.reverse_name(value), "PTR", (name,)) for value in held]
    return due
