"""The DNS64 role by itself: ``python -m tests.tools.programs.dns64 SITE.toml [V6[,V6...]=NAME...]``.

In a namespace that has its address. The clients named are connected. A line on stdin, any line, asks for the
report, which is a line of JSON: ``status``, ``findings``, ``metrics``. SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from ipaddress import IPv6Address
from pathlib import Path

from manageout.service.dns64.dns64 import Dns64Service
from manageout.service.process.presence import Client, Presence
from manageout.site.contradictions import read_site


def report(role: Dns64Service) -> str:
    """Everything that the role says of itself."""
    metrics = {
        f"{metric.name}{''.join(f' {value}' for value in labels.values())}": value
        for metric in role.metrics()
        for labels, value in metric.labelled()
    }
    return json.dumps(
        {
            "status": role.status(),
            "findings": [found._asdict() for found in role.findings()],
            "metrics": metrics,
        }
    )


async def serve(file: Path, clients: list[str]) -> None:
    """Until SIGTERM."""
    site, plan = read_site(file)
    connected = Presence()
    role = Dns64Service(site, plan, connected)
    connected.watch(role)
    for entry in clients:
        addresses, _, name = entry.partition("=")
        first, *others = (IPv6Address(address).packed for address in addresses.split(","))
        connected.present(Client(name, first, tuple(others), None, "192.0.2.1", "ip-https", 0.0))
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if sys.stdin.readline():
            print(report(role), flush=True)
        else:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, asked)
    task = asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    await role.run()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(serve(Path(sys.argv[1]), sys.argv[2:]))
