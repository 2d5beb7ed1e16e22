"""How every process of ours runs: its roles beside one another, what it shows, and how it is told to stop."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from manageout.errors import ManageoutError
from manageout.linux.host import privileges, systemd
from manageout.linux.netlink.links import Netlink
from manageout.service.process import finding
from manageout.service.process.control import ControlServer
from manageout.service.process.metrics import MetricsServer
from manageout.service.process.overview import SAMPLE, Overview
from manageout.service.process.role import Role
from manageout.service.process.rows import About
from manageout.service.process.runtime import RuntimeDir, Succession
from manageout.words import toml_of

log = logging.getLogger(__name__)

_TEXTS = (
    ("manageout.directory.dns", "texts.toml"),
    ("manageout.linux", "hints.toml"),
    ("manageout.site.tables", "complaints.toml"),
)
"""What a process says that runs for long, beside its findings: refusals of DNS servers and of the kernel, and what is
wrong with a site file at a reload."""


async def serve(
    roles: Mapping[str, Role],
    runtime: RuntimeDir,
    netlink: Netlink,
    about: Callable[[], About],
    *,
    kept: Iterable[privileges.Capability],
    metrics: str = "off",
    reload: Callable[[], None] | None = None,
    succession: Succession | None = None,
) -> None:
    """Run ``roles`` until SIGINT or SIGTERM, with the privileges ``kept``; SIGHUP calls ``reload``.

    With ``succession``, SIGUSR1 is a stop after which another process follows.

    Raises :class:`ManageoutError` when one of them ends.
    """
    # Not when the first is said: an upgrade may replace the files while we run, and descriptors may have run out.
    finding.texts()
    for package, file in _TEXTS:
        toml_of(package, file)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):  # before anybody can see that this process is there
        loop.add_signal_handler(number, stop.set)
    if succession is not None:
        loop.add_signal_handler(signal.SIGUSR1, _follows, succession, stop)
    overview = Overview(roles, netlink, about)
    figures = MetricsServer(metrics, overview.metrics)
    control = ControlServer(runtime.control_socket, overview.handlers())
    async with figures, control, asyncio.TaskGroup() as group:
        privileges.raise_limits()
        privileges.keep_only(kept)
        if reload is not None:  # not before: it tells roles, which begin below
            loop.add_signal_handler(signal.SIGHUP, reload)
        jobs: dict[str, Coroutine[Any, Any, None]] = {name: _run(role) for name, role in roles.items()}
        jobs |= {"watch": _watch(overview), "announce": _announce(roles)}
        tasks = [group.create_task(job, name=name) for name, job in jobs.items()]
        await stop.wait()
        systemd.notify("STOPPING=1")
        for task in tasks:
            task.cancel()


def _follows(succession: Succession, stop: asyncio.Event) -> None:
    succession.follows = succession.pins is not None and not stop.is_set()
    stop.set()


async def _run(role: Role) -> None:
    await role.run()
    raise ManageoutError(f"{role.name} ended by itself", "see the log above")


async def _announce(roles: Mapping[str, Role]) -> None:
    for role in roles.values():
        await role.ready.wait()
    log.info("ready: %s", ", ".join(roles))
    systemd.notify(f"READY=1\nSTATUS=serving: {', '.join(roles)}")


async def _watch(overview: Overview) -> None:
    interval = min(SAMPLE, systemd.watchdog_interval() or SAMPLE)
    sampled = 0.0
    while True:
        now = time.monotonic()
        if now - sampled >= SAMPLE:
            sampled = now
            overview.sample()
        systemd.notify("WATCHDOG=1")
        await asyncio.sleep(interval)
