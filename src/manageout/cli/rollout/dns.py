"""``manageout rollout dns``: the router's unique name in the intranet's DNS, and out of it again."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.directory.dns.conditional import RecordError
from manageout.directory.dns.router_record import Addresses, NameRecords, ReadBack, RouterRecord
from manageout.errors import ManageoutError
from manageout.rollout import targets
from manageout.service.names.names import remedy_of
from manageout.service.names.router_dns import addresses_of, complete, record_of
from manageout.site.contradictions import read_site
from manageout.site.tables.site import Site

_REPLICATION = "secondaries and other domain controllers may follow later: run it again, or give --wait more"


@click.command()
@options("rollout.dns")
@click.pass_context
def dns(
    ctx: click.Context,
    file: Path,
    undo: bool,
    only_check: bool,
    router: str | None,
    force: bool,
    wait: float,
    as_json: bool,
) -> None:
    """The router's unique name in the DNS: an A record for each router of the site; read back from every server.

    By dynamic update, as the table [names] says. A name that somebody else holds is left as it is. Unlike the other
    ways this one changes something at once: the DNS. Exits with 1 when a name server does not say what it should.
    """
    site = read_site(file)[0]
    name = complete(site, targets.router_name(site, router, force=force or undo or only_check))
    record = record_of(site, name)
    wanted: Addresses = frozenset() if undo else addresses_of(site)
    before = None
    if not only_check:
        if name.lower().startswith("isatap.") and not undo:
            click.echo(targets.bare_name_consequences(name), err=True)
        before = _changed(site, lambda: record.withdraw() if undo else record.publish(wanted))
    found = _read(record, wanted, before, 0.0 if only_check else wait)
    if as_json:
        click.echo(json.dumps(_rows(name, wanted, before, found), indent=2))
    else:
        _print(name, wanted, before, found, undo)
    ctx.exit(1 if any(one.fault for one in found) else 0)


def _changed(site: Site, step: Callable[[], NameRecords]) -> NameRecords:
    try:
        return step()
    except RecordError as error:
        remedy = remedy_of(error.code, site.names)
        if error.code == "NAME-TAKEN":
            remedy = "choose another isatap.name, or remove the other records if they are stale"
        raise ManageoutError(f"{error.message} ({error.code})", remedy) from None


def _read(record: RouterRecord, wanted: Addresses, before: NameRecords | None, wait: float) -> list[ReadBack]:
    """After an undo, what was never ours may stand there still."""
    kept = (before.addresses - (before.ours or frozenset())) if before and not wanted else frozenset()
    try:
        return record.read_back(wanted | kept, wait)
    except RecordError as error:
        hint = "nothing can be said of what the servers have; run it again with --check"
        raise ManageoutError(f"{error.message} ({error.code})", hint) from None


def _rows(
    name: str, wanted: Addresses, before: NameRecords | None, found: list[ReadBack]
) -> dict[str, object]:
    servers = [
        dict(host=one.host, address=one.server.address, addresses=_texts(one.addresses), fault=one.fault)
        for one in found
    ]
    there = None if before is None else _texts(before.addresses)
    return {"name": name, "wanted": _texts(wanted), "before": there, "servers": servers}


def _texts(addresses: Addresses) -> list[str]:
    return list(map(str, sorted(addresses)))


def _print(
    name: str, wanted: Addresses, before: NameRecords | None, found: list[ReadBack], undo: bool
) -> None:
    texts = ", ".join(_texts(wanted))
    if before is not None:
        if undo:
            click.echo(f"{name}: {_removed(before)}")
        else:
            same = before.ours is not None and before.ours == wanted and wanted <= before.addresses
            click.echo(f"{name}: A {texts}" + (" (as before)" if same else ""))
    for one in found:
        place = f"{one.host} ({one.server.address})" if one.server.address else one.host
        says = ", ".join(_texts(one.addresses)) or "no address"
        click.echo(f"  {place}: " + (one.fault or f"{says}, as it should be"))
    if any(one.fault for one in found):
        click.echo(f"  {_REPLICATION}")


def _removed(before: NameRecords) -> str:
    others = before.addresses - (before.ours or frozenset())
    kept = f"; {', '.join(map(str, sorted(others)))} stays, it is not ours" if others else ""
    if before.ours is None:
        return f"nothing of ours is there{kept}"
    return f"removed A {', '.join(map(str, sorted(before.ours)))}{kept}"
