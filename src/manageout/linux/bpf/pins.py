"""What outlives a process of ours in the BPF file system: a directory for each instance, a name for each attachment.

An instance is a runtime directory in a network namespace. Only attachments are pinned (a tcx link, or the program of a
clsact filter, see :class:`~manageout.linux.bpf.libbpf.Attachment`): maps belong to the programs inside and are replaced
with them, so versions of this project need not agree on what maps look like, and what a later one does not know by its
name it removes.
"""

import contextlib
import hashlib
import os
import socket
import stat
from collections.abc import Collection
from pathlib import Path

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf import libbpf
from manageout.linux.bpf.libbpf import TRANSLATOR, TUNNEL

ROOT = Path("/sys/fs/bpf/manageout")
_SO_NETNS_COOKIE = 71
_AT_TUN = "tun_out"


def name(kind: str, program: str, ifindex: int) -> str:
    """Of a pin: object, program, device. A BPF file system takes no dots."""
    return f"{kind}-{program}-{ifindex}"


def is_egress(program: str) -> bool:
    """Programs are called by where they belong."""
    return program.endswith("_out")


def directory(runtime: Path) -> Path:
    """Of the instance that has this runtime directory, in the network namespace that we are in."""
    return ROOT / f"{_namespace()}-{hashlib.sha256(os.fsencode(runtime.resolve())).hexdigest()[:16]}"


def opened(runtime: Path) -> Path | None:
    """The same, made; None where no BPF file system is mounted, we may not write there, or others may."""
    own = directory(runtime)
    try:
        ROOT.mkdir(mode=0o700, exist_ok=True)
        if _is_ours():
            own.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return own if _is_ours() else None


def tuns(own: Path) -> list[int]:
    """Interface numbers of the TUNs on which the instance has its programs."""
    found = []
    for pin in _listed(own):
        program, ifindex = _place(pin)
        with contextlib.suppress(FastPathUnavailable):
            if program == _AT_TUN and libbpf.in_place(pin, ifindex, True, _slot(pin)):
                found.append(ifindex)
    return found


def neighbours(own: Path) -> list[Path]:
    """Directories of other instances in this network namespace."""
    return [each for each in _directories() if each != own and each.name.startswith(f"{_namespace()}-")]


def keep_only(own: Path, kind: str, names: Collection[str]) -> None:
    """Of an object's pins only these; whatever others attached is detached."""
    for pin in _listed(own):
        if pin.name.startswith(f"{kind}-") and pin.name not in names:
            _detach(pin)


def remove(own: Path) -> None:
    """Everything of an instance, which must not run: detached, and its names gone."""
    for pin in _listed(own):
        _detach(pin)
    _remove_empty(own)


def sweep() -> None:
    """Names of links whose devices have gone, of whatever instance: with them it had ended."""
    for each in _directories():
        for pin in _listed(each):
            with contextlib.suppress(FastPathUnavailable):
                if (found := libbpf.pinned(pin)) >= 0:
                    place = libbpf.link_place(found)
                    os.close(found)
                    if place is not None and place[0] == 0:
                        libbpf.unpin(pin)
                        _remove_empty(each)


def _detach(pin: Path) -> None:
    program, ifindex = _place(pin)
    with contextlib.suppress(FastPathUnavailable):
        if libbpf.in_place(pin, ifindex, is_egress(program), _slot(pin)):
            libbpf.remove_leftover(ifindex, is_egress(program), _slot(pin))
        if pin.name == f"qdisc-{ifindex}":
            libbpf.remove_qdisc(ifindex)
    libbpf.unpin(pin)


def _place(pin: Path) -> tuple[str, int]:
    """Program and device; 0 where the name is none of ours."""
    program, _, number = pin.name.partition("-")[2].rpartition("-")
    return program, int(number) if number.isdecimal() and number.isascii() and len(number) < 11 else 0


def _slot(pin: Path) -> int:
    return TRANSLATOR if pin.name.startswith("xlat-") else TUNNEL


def _remove_empty(own: Path) -> None:
    for each in (own, ROOT):
        with contextlib.suppress(OSError):
            each.rmdir()


def _directories() -> list[Path]:
    return [each for each in _listed(ROOT) if each.is_dir()]


def _listed(parent: Path) -> list[Path]:
    try:
        return sorted(parent.iterdir()) if _is_ours() else []
    except OSError:
        return []


def _is_ours() -> bool:
    """Whether nobody else can make names there: a BPF file system that is mounted by hand is everybody's to write."""
    found = ROOT.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _namespace() -> str:
    """What no other network namespace is called until the machine starts again (Linux 5.14), or else its number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            cookie = probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            return f"n{os.stat('/proc/self/ns/net').st_ino}"
    return f"{int.from_bytes(cookie, 'little'):x}"
