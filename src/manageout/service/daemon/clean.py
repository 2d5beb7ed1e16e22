"""Take away what processes of ours that were killed have left on this machine, and their runtime directory.

Most of it goes with the process (devices, their addresses and routes, rules that it owns, eBPF links). What does not:
what is noted in ``undo.json``, the guard, tables that nobody owns and clsact filters on kernels without the better
ways, ``/etc/resolv.conf``.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.linux.bpf.isatap import IsatapFastPath
from manageout.linux.bpf.xlat import XlatFastPath
from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.linux.nft import program as nft
from manageout.linux.nft.tables import GUARD_TABLE, OURS, RuleTables
from manageout.service.daemon.reconcile import Reconciler
from manageout.service.process.runtime import RuntimeDir
from manageout.service.resolver import resolv_conf


def clean(directory: Path) -> list[str]:
    """Clean up after the process of ``directory``; what was done, in words.

    What may be the work of another process of ours, which runs beside it, stays. Raises :class:`ManageoutError`, also
    while the process runs.
    """
    with RuntimeDir(directory) as runtime, Netlink() as netlink:
        others = (each for each in directory.parent.glob("manageout*") if each != directory)
        alone = not any(RuntimeDir(each).busy() for each in others)
        done = list(_resolver())
        if alone or runtime.remembered():
            reconciler = Reconciler(netlink, runtime)
            done += [step.text for step in reconciler.undo_steps()]
            reconciler.undo()
        if alone:
            done += _unowned(netlink)
        runtime.forget()
    return done


def _resolver() -> Iterator[str]:
    if netns.is_of_machine() or netns.is_mount(resolv_conf.PATH):
        with suppress(ManageoutError):  # another client that runs has it
            if resolv_conf.ResolvConf().recover():
                yield f"give back {resolv_conf.PATH}"


def _unowned(netlink: Netlink) -> Iterator[str]:
    links = [link.ifindex for link in netlink.links()]
    for fast_path in (IsatapFastPath, XlatFastPath):
        fast_path.remove_leftovers(links)
    # A guard that is still there has what it must guard: forwarding that could not be turned off.
    if left := [table for table in nft.tables() if table in OURS and table != GUARD_TABLE]:
        RuleTables().delete(guard=False)
        yield f"remove the packet filter table {', '.join(left)}"
