"""The daemon's kernel state, translator and policy, with leases given on the command line: no tunnel, no keeper.

``python -m tests.tools.programs.translator SITE_FILE RUNTIME_DIR IPV6=IPV4...``; clients are ordinary IPv6 nodes on
an Ethernet device that bears the name of the tunnel's, ``mo-iphttps0``, for the rules go by name.
Standard input: ``+IPV6=IPV4`` or ``-IPV6=IPV4`` adds or ends a lease. SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from manageout.linux.bpf import pins
from manageout.linux.netlink.links import Netlink
from manageout.service.daemon import daemon
from manageout.service.daemon.reconcile import Reconciler
from manageout.service.policy.policy import PolicyService
from manageout.service.process.control import ControlServer
from manageout.service.process.logs import set_up_logging
from manageout.service.process.loops import run_loop
from manageout.service.process.presence import Client, Presence
from manageout.service.process.runtime import RuntimeDir, Succession
from manageout.service.translate.translator import TranslatorService
from manageout.site.contradictions import read_site
from manageout.site.plan import XLAT_DEVICE


def client(text: str) -> Client:
    """Of ``IPV6[,FURTHER...]=IPV4[@NAME]``; its name is its address unless told."""
    addresses, _, name = text.partition("@")
    names, v4 = addresses.split("=")
    v6, *others = (IPv6Address(name).packed for name in names.split(","))
    identity = name or names.partition(",")[0]
    return Client(identity, v6, tuple(others), IPv4Address(v4).packed, "192.0.2.1", "test", 0.0)


async def serve(
    role: TranslatorService,
    policy: PolicyService,
    connected: Presence,
    runtime: RuntimeDir,
    leases: list[str],
    succession: Succession,
) -> None:
    """Until a signal."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)

    def follows() -> None:
        succession.follows = True
        end.set()

    loop.add_signal_handler(signal.SIGUSR1, follows)

    def command() -> None:
        line = sys.stdin.readline().strip()
        if not line:
            loop.remove_reader(sys.stdin)
        elif line[0] == "+":
            connected.present(client(line[1:]))
        else:
            connected.absent(client(line[1:]).identity)

    loop.add_reader(sys.stdin, command)
    for lease in leases:
        connected.present(client(lease))
    ready = role.ready.is_set, policy.ready.is_set
    handlers = {
        "status": lambda: {"roles": {role.name: {**role.status(), "ready": all(each() for each in ready)}}},
        "drops": lambda: [*role.drops(), *policy.drops()],
    }
    async with ControlServer(runtime.control_socket, handlers), asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run()) for each in (role, policy)]
        await end.wait()
        for task in tasks:
            task.cancel()


def main() -> None:
    """Run as the daemon does: kernel state, role, and everything back again."""
    file, directory, *leases = sys.argv[1:]
    set_up_logging("info")
    site, plan = read_site(Path(file))
    site.daemon.state_dir.mkdir(exist_ok=True)
    with RuntimeDir(Path(directory)) as runtime, Netlink() as netlink:
        reconciler = Reconciler(netlink, runtime)
        wanted = daemon.desired_here(netlink, reconciler, site, plan)
        reconciler.take_over(wanted)
        succession = Succession(pins.opened(runtime.path) if site.daemon.orphan else None, site.daemon.orphan)
        try:
            reconciler.apply(replace(wanted, devices=wanted.devices[-1:]))
            connected = Presence()
            role = TranslatorService(site, plan, reconciler.tuns[XLAT_DEVICE], netlink, succession)
            policy = PolicyService(site, plan, reconciler.rules, connected)
            connected.watch(role)
            connected.watch(policy)
            policy.start()
            run_loop(serve(role, policy, connected, runtime, leases, succession))
        finally:
            if not succession.follows:
                reconciler.undo()


if __name__ == "__main__":
    main()
