"""Take every record of clients out of the intranet's DNS, when this gateway stops for good."""

import time
from pathlib import Path
from typing import NamedTuple

from manageout.errors import ManageoutError
from manageout.service.names.names import machine_of, remedy_of, updater_of
from manageout.service.process.runtime import RuntimeDir
from manageout.service.state.names import NamesStore
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

AT_ONCE = 100
"""Tasks taken from the machine at a time."""


class Left(NamedTuple):
    """A name of which records may still stand there, why, and what mends it."""

    name: str
    why: str
    remedy: str


class Removal(NamedTuple):
    """What became of all names."""

    removed: list[str]
    left: list[Left]


def remove_names(site: Site, plan: Plan, runtime_dir: Path | None = None) -> Removal:
    """Remove what the store says we have put there. What fails stays noted, for the next try or the next start.

    Raises :class:`ManageoutError` beside a running daemon, whose clients would register again, or without ``[names]``.
    """
    if site.names is None:
        raise ManageoutError("the site file has no [names]", "give the file that the daemon ran with")
    if RuntimeDir(runtime_dir or site.daemon.runtime_dir).busy():
        raise ManageoutError("the daemon is running", "stop it first: systemctl disable --now manageout")
    machine, updater, store = machine_of(site), updater_of(site, plan), NamesStore(site.daemon.state_dir)
    removed: list[str] = []
    now = time.monotonic()
    try:
        machine.restore(store.load(), now)
        for identity in {entry.identity for entry in machine.entries.values()}:
            machine.released(identity, now)
        while tasks := machine.tasks(now, AT_ONCE):
            for task in tasks:
                machine.finished(task, *updater.perform(task), now)
                if task.name not in machine.entries:
                    removed.append(task.name)
        if fault := store.write(machine.changes()):
            raise ManageoutError(f"{store.path}: {fault}", "what was removed is removed; run it again")
    finally:
        store.close()
    why = dict(machine.problems())
    left = []
    for name in machine.entries:
        code, words = why.get(name, ("DNS-FAILED", f"{name}: no answer"))
        left.append(Left(name, words, remedy_of(code, site.names)))
    return Removal(sorted(removed), sorted(left))
