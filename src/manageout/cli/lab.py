"""``manageout lab``: the whole site on one machine, in network namespaces."""

import json
import os
import sys
from pathlib import Path
from typing import TypedDict

import click

from manageout.cli.options import options
from manageout.cli.show.options import json_option
from manageout.cli.show.table import Column, table
from manageout.errors import LabError
from manageout.lab import alone, draw, network, process, site, topology
from manageout.lab.demo import steps
from manageout.words import counted


class LabProgram(TypedDict):
    """Something that runs on a node."""

    name: str
    pid: int


class NodeRow(TypedDict):
    """A node as ``lab list --json`` tells it."""

    name: str
    namespace: str
    role: str
    addresses: list[str]
    running: list[LabProgram]
    directory: str


NODES: tuple[Column[NodeRow], ...] = (
    Column("NODE", lambda node: node["name"]),
    Column("ROLE", lambda node: node["role"]),
    Column("ADDRESSES", lambda node: node["addresses"]),
    Column("RUNNING", lambda node: " ".join(each["name"] for each in node["running"])),
)


@click.group()
def lab() -> None:
    """A whole site on this machine, in network namespaces named mo-*. Needs root."""


@lab.command()
@options("lab.up")
def up(name: str, ad: bool, bare: bool, no_ebpf: bool) -> None:
    """Build the lab and start everything in it."""
    wanted = topology.topology(name)
    if bare:
        network.up(wanted)
    else:
        site.up(wanted, fast_path=not no_ebpf, ad=ad)
    click.echo(draw.picture(wanted, ad=ad))
    if not bare:
        laptop = site.laptop_address()
        click.echo(f"\n{site.links(wanted)}\n")
        click.echo(f"Try     manageout lab exec helpdesk -- ping {laptop}")
        click.echo("        manageout lab exec app -- curl http://laptop.corp.example/")
        click.echo(f"        manageout lab exec {wanted.router} -- manageout hosts")
    click.echo("Remove  manageout lab down")


@lab.command()
def down() -> None:
    """Remove the lab, whatever state it is in."""
    click.echo("The lab is gone." if network.down() else "There was no lab.")


@lab.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def execute(node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND on NODE (a shell when left out): its network, its DNS, its daemon for `manageout status`."""
    network.require_root()
    current = network.current()
    if current is None:
        raise LabError("there is no lab", "build it with `manageout lab up`")
    current.node(node)
    argv = network.command(node, command or (os.environ.get("SHELL", "/bin/sh"),))
    os.execvp(argv[0], argv)  # noqa: S606 - the lab is its user's


@lab.command("list")
@json_option
def list_nodes(as_json: bool) -> None:
    """Nodes, their addresses, and what runs on them."""
    current = network.current()
    if current is None:
        click.echo(json.dumps({"topology": None, "nodes": []}) if as_json else "There is no lab.")
        return
    running = process.running()
    nodes = [
        NodeRow(
            name=node.name,
            namespace=network.namespace(node.name),
            role=node.role,
            addresses=[*(str(port.address) for port in node.ports), *site.addresses6(node.name)],
            running=[LabProgram(name=each.name, pid=each.pid) for each in running if each.node == node.name],
            directory=str(network.directory(node.name)),
        )
        for node in current.nodes
    ]
    told = {"topology": current.name, "nodes": nodes}
    click.echo(json.dumps(told) if as_json else table(NODES, nodes))


@lab.command()
@options("lab.demo")
def demo(name: str, ad: bool, no_ebpf: bool, file: Path | None) -> None:
    """Show it all, step by step, with and without eBPF. Nothing of it is seen outside, nor left, however it ends."""
    if not alone.is_inside():
        network.require_root()
        network.require_none()
        click.get_current_context().exit(alone.run([sys.executable, "-m", "manageout", *sys.argv[1:]]))
    paths = (False,) if no_ebpf else (True, False)
    outcomes = steps.demonstrate(topology.topology(name), paths, click.echo, ad=ad)
    if file:
        file.write_text(json.dumps([outcome._asdict() for outcome in outcomes], indent=2) + "\n")
    failed = [outcome.name for outcome in outcomes if outcome.verdict == "failed"]
    if failed:
        raise LabError(f"{len(failed)} of {counted(len(outcomes), 'step')} failed: {', '.join(failed)}")
