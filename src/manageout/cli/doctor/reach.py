"""``manageout doctor reach``: why this manager cannot reach that client, hop by hop."""

import json
import re

import click

from manageout.cli.doctor.live import ThisMachine, with_machine
from manageout.cli.options import options
from manageout.cli.show.findings import show, wrong
from manageout.cli.show.output import printable
from manageout.cli.show.table import folded
from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.look.reach import ReachScope, look
from manageout.doctor.reach.hops import hops
from manageout.doctor.reach.reach import ReachFacts, ReachHop

_VERDICTS = {
    "ok": ("ok", "green"),
    "fails": ("FAILS", "red"),
    "unseen": ("not seen", "yellow"),
    "unused": ("-", None),
}
_WAYS = {"both": "both ways", "lease": "by lease (IPv4)", "isatap": "by ISATAP (IPv6)"}
_WELL = "nothing fails that can be seen from here"
_BLIND = """\
little can be seen from here: run it on the gateway, the ISATAP router or the manager
(on the gateway or router already? its daemon is down: name its site file with --config)"""
_PORT = re.compile(r"(?:(tcp|udp)/)?([0-9]{1,5})|([0-9]{1,5})/(tcp|udp)|icmp", re.IGNORECASE)


def _service(text: str) -> str:
    """``3389``, ``3389/tcp``, ``tcp/3389``, ``udp/161`` or ``icmp`` -> as in the site file."""
    found = _PORT.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no port, such as 3389/tcp, udp/161 or icmp")
    if text.lower() == "icmp":
        return "icmp"
    number = int(found[2] or found[3])
    if not 0 < number < 65536:
        raise click.BadParameter(f"{number} is no port: 1 to 65535")
    return f"{(found[1] or found[4] or 'tcp').lower()}/{number}"


@click.command()
@click.argument("host")
@click.argument("client")
@options("reach", service=_service)
@with_machine
@click.pass_context
def reach(
    ctx: click.Context, /, host: str, client: str, service: str | None, machine: ThisMachine, as_json: bool
) -> None:
    """Say hop by hop why the manager HOST cannot reach the remote client CLIENT. Names or addresses.

    It tells what can be seen from where it runs, best as root: on the gateway names, policy, connection, lease,
    packet filter, and what the client answers HOST (asked in its name); on the ISATAP router whether protocol 41
    passes; on HOST itself the names that it gets, the router's answer, and whether the client's port opens. What it
    cannot see, it says, and where it could be. Nothing is changed. Exits with 1 when something fails.
    """
    for name, text in (("HOST", host), ("CLIENT", client)):
        if not text.strip():
            raise click.BadParameter("give a name or an address", param_hint=name)
    site, plan = machine.site()
    there = (machine.directory / "control.sock").exists()
    pair = {"host": host, "client": client, "service": service or ""}
    scope = ReachScope(
        ask=machine.ask, site=site, plan=plan, servers=machine.servers, socket_there=there, **pair
    )
    seen = look(scope)
    walked = hops(seen)
    found = diagnose([Facts("(reach)", computer=seen.here, reach=seen, understood=True)])
    if as_json:
        rows = [hop._asdict() for hop in walked]
        told = {"findings": [finding._asdict() for finding in found], "unseen": seen.unseen}
        click.echo(json.dumps({**pair, "views": seen.views, "hops": rows, **told}, indent=2))
    else:
        _print(seen, walked)
        show(found)
        if not wrong(found):
            click.echo(_WELL if seen.views else _BLIND)
    ctx.exit(1 if wrong(found) else 0)


def _print(seen: ReachFacts, walked: list[ReachHop]) -> None:
    place = " and ".join(seen.views) or "another machine"
    what = f" on {seen.service}" if seen.service else ""
    click.echo(f"{printable(seen.host)} to {printable(seen.client)}{what}, seen from {place}\n")
    before = ""
    for hop in walked:
        if hop.way != before:
            click.echo(_WAYS[hop.way])
            before = hop.way
        word, colour = _VERDICTS[hop.verdict]
        head = f"  {word:<9} {hop.what:<22} "
        text = folded(head + printable(hop.words), "", " " * len(head))
        click.echo(text.replace(f"  {word}", f"  {click.style(word, fg=colour)}", 1) if colour else text)
    for line in seen.unseen:
        click.echo(f"  not seen  {printable(line)}")
    click.echo()
