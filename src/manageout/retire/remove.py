"""The last step of a retirement: records and policies go, and an undo brings back the same ones.

What is done here is done by exact record and by exact policy, and kept in the store before it is changed. What cannot
be done from here, or is not certainly ISATAP's, goes into scripts or is named.
"""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple

from manageout.directory.ad.domain import Domain
from manageout.directory.dns.conditional import DnsRow, RecordError
from manageout.directory.dns.isatap_records import IsatapRecords, Removable
from manageout.errors import ConfigError, Fault, ManageoutError
from manageout.retire.script import ScriptRecord, ScriptValue
from manageout.rollout import publish
from manageout.rollout.targets import wanted_policies
from manageout.service.names.names import signer_of, zones_of
from manageout.service.names.router_dns import complete, mark_of
from manageout.service.state.retire import RetireStore
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.windows import gpo
from manageout.words import texts

DNS, POLICIES = "dns:", "policies"
BACKUPS = "gpo-backups"
ATTEMPTS = 3
Say = Callable[[str], None]


class ScriptedRemoval(NamedTuple):
    """What a script is to take away."""

    records: list[ScriptRecord]
    values: list[ScriptValue]
    by_hand: list[str]
    """What it leaves alone, and why."""
    block: bool
    """The bare name is published here: it is to be blocked again."""


def rule_of(site: Site, plan: Plan) -> Removable:
    """What is ISATAP's at this site. Raises :class:`ConfigError` without ``[isatap]``."""
    if site.isatap is None:
        raise ConfigError("site file", [Fault("isatap", *texts("manageout.retire", "no-router"))])
    name = complete(site, site.isatap.name).lower() if site.isatap.name else ""
    routers = frozenset((*site.isatap.locators, *site.isatap.routers))
    return Removable(name, routers, mark_of(site), (plan.isatap_prefix, *site.isatap.retired))


def names(store: RetireStore, site: Site, rule: Removable) -> list[str]:
    """Every name at which something of ISATAP's may stand, as far as the census knows."""
    found = [rule.router_name, f"isatap.{site.site.domain}" if site.site.domain else ""]
    found += [row["name"] for row in store.found("name")]
    found += [record["name"] for row in store.found("host") for record in row.get("records", ())]
    return [name for name in dict.fromkeys(name.lower().rstrip(".") for name in found) if "." in name]


def remove_records(store: RetireStore, site: Site, plan: Plan, say: Say, *, dry: bool = False) -> list[str]:
    """Take ISATAP's records out of the DNS; what could not be done, a line each.

    Raises :class:`ConfigError` without ``[names]``.
    """
    dns, rule = updates_of(site), rule_of(site, plan)
    left: list[str] = []
    for name in names(store, site, rule):
        try:
            left += _clear(store, dns, rule, name, say, dry)
        except RecordError as error:
            left.append(f"{name}: {error.message} ({error.code})")
    return left


def _clear(
    store: RetireStore, dns: IsatapRecords, rule: Removable, name: str, say: Say, dry: bool
) -> Iterator[str]:
    for _ in range(ATTEMPTS):
        place, before = dns.read(name)
        if place is None:
            yield f"{name}: no server of [names] holds its zone"
            return
        rows = [row for row in before if rule.covers(name, row)]
        if dry or not rows:
            for row in rows:
                say(f"would remove {name} {row.kind} {row.text}")
            return
        _keep(store, name, rows)
        if dns.remove(name, place, before, rows):
            break
    else:
        yield f"{name}: is being changed by somebody else at this moment"
        return
    for row in rows:
        say(f"removed {name} {row.kind} {row.text}")
        if row.kind == "AAAA":
            yield from _clear_pointer(store, dns, IPv6Address(row.text).reverse_pointer, name, say)


def _clear_pointer(
    store: RetireStore, dns: IsatapRecords, reverse: str, name: str, say: Say
) -> Iterator[str]:
    """What points back to a name from an address that went."""
    place, before = dns.read(reverse)
    rows = [row for row in before if row.kind == "PTR" and row.text.lower().rstrip(".") == name]
    if place is None or not rows:
        return
    _keep(store, reverse, rows)
    if dns.remove(reverse, place, before, rows):
        say(f"removed {reverse} PTR {name}")
    else:
        yield f"{reverse}: is being changed by somebody else at this moment"


def _keep(store: RetireStore, name: str, rows: Iterable[DnsRow]) -> None:
    key = f"{DNS}{name}"
    kept = [list(row) for row in rows]
    known = store.kept(key).get(key, [])
    store.keep(key, known + [row for row in kept if row not in known])


def remove_policies(
    store: RetireStore, site: Site, plan: Plan, domain: Domain, say: Say, *, dry: bool = False
) -> None:
    """Remove the policy that makes machines ISATAP hosts, if we have published it. Raises :class:`ManageoutError`."""
    guids, backups = our_policies(site, plan), store.path.parent / BACKUPS
    if dry:
        for guid, policy in domain.read(gpo.of(guids))["policies"].items():
            if policy is not None:
                say(f"would remove the policy {(policy['attributes'] or {}).get('displayName', guid)}")
        return
    if not guids:
        return
    store.keep(POLICIES, {"domain": domain.name, "backups": str(backups)})
    if publish.remove(domain, guids, backups, say) is None:
        say("no policy of ours is there")


def our_policies(site: Site, plan: Plan) -> list[str]:
    """GUIDs of the policies for ISATAP hosts that this site file publishes."""
    if site.rollout is None or not site.rollout.managers_group or site.isatap is None:
        return []
    return [wanted_policies(site, plan)[0].guid]


def wanted(store: RetireStore, site: Site, plan: Plan) -> ScriptedRemoval:
    """What scripts for Windows are to take away, from what the census found."""
    rule = rule_of(site, plan)
    records: dict[ScriptRecord, None] = {}
    by_hand: dict[str, None] = {}
    bare = False
    for row in store.found("name"):
        for text in row["values"]:
            bare |= row["name"].partition(".")[0] == "isatap"
            if made := _record(rule, row["name"], text):
                records[made] = None
            else:
                by_hand[f"{row['name']} -> {text} ({row['place']}): no router of this site"] = None
    for each in (each for host in store.found("host") for each in host.get("records", ())):
        if made := _record(rule, each["name"], each["address"]):
            records[made] = None
    values: dict[ScriptValue, None] = {}
    for row in store.found("policy"):
        name = row["what"].partition(" = ")[0]
        if row["turns"] == "off":
            continue
        if row["guid"] and row["place"].lower().endswith(".pol") and name.lower().startswith("isatap_"):
            values[ScriptValue(row["guid"].strip("{}"), row["policy"], name)] = None
        else:
            by_hand[f"policy {row['policy']}, {row['place']}: {row['what']}"] = None
    return ScriptedRemoval(list(records), list(values), list(by_hand), bare)


def restore(store: RetireStore, site: Site, domain: Callable[[], Domain], say: Say) -> list[str]:
    """Bring back what was taken away from here; what could not be, a line each."""
    left: list[str] = []
    kept = store.kept()
    if POLICIES in kept:
        left += _restore_policies(store, kept[POLICIES], domain, say)
    names = {key.removeprefix(DNS): rows for key, rows in kept.items() if key.startswith(DNS)}
    if names:
        try:
            left += _restore_records(store, updates_of(site), names, say)
        except ManageoutError as error:
            left.append(f"records of {len(names)} names: {error.message}")
    return left


def _restore_records(
    store: RetireStore, dns: IsatapRecords, names: dict[str, Any], say: Say
) -> Iterator[str]:
    for name, kept in names.items():
        rows = [DnsRow(*row) for row in kept]
        try:
            place = dns.read(name)[0]
            if place is None:
                yield f"{name}: no server of [names] holds its zone"
                continue
            dns.restore(name, place, rows)
        except RecordError as error:
            yield f"{name}: {error.message} ({error.code})"
            continue
        store.forget([f"{DNS}{name}"])
        for row in rows:
            say(f"restored {name} {row.kind} {row.text}")


def _restore_policies(
    store: RetireStore, kept: dict[str, str], domain: Callable[[], Domain], say: Say
) -> Iterator[str]:
    backups = Path(kept["backups"])
    try:
        if pending := publish.pending(backups, kept["domain"]):
            for line in publish.undo(domain(), backups, say):
                say(f"changed since it was removed, kept in {kept['backups']}: {line}")
    except ManageoutError as error:
        yield f"policies of {kept['domain']}: {error.message} ({error.hint})"
        return
    store.forget([POLICIES])
    if pending:
        say(f"restored the policies of {kept['domain']}")


def updates_of(site: Site) -> IsatapRecords:
    """What changes records. Raises :class:`ConfigError` without ``[names]``."""
    if site.names is None:
        raise ConfigError("site file", [Fault("names", *texts("manageout.retire", "no-names"))])
    return IsatapRecords(zones_of(site), signer_of(site.names))


def _record(rule: Removable, name: str, text: str) -> ScriptRecord | None:
    """A record that is ISATAP's and this site's; None for any other, such as a CNAME."""
    try:
        kind = "AAAA" if isinstance(ip_address(text), IPv6Address) else "A"
    except ValueError:
        return None
    return ScriptRecord(name, kind, text) if rule.covers(name, DnsRow(kind, 0, text)) else None
