"""Network namespaces by name (``/run/netns``), through ``ip netns``.

``ip netns exec`` also mounts ``/etc/netns/NAME/*`` over ``/etc``, but remounts /sys, which hides bpffs:
:func:`run` and :func:`inside` therefore enter only the network namespace. Nor does ``ip -n`` do: it refuses in
a chroot whose root is no mount point.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manageout.errors import KernelError, NotPermitted

ROOT = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def names() -> list[str]:
    """Every named namespace."""
    return sorted(path.name for path in ROOT.iterdir()) if ROOT.is_dir() else []


def exists(name: str) -> bool:
    """Whether ``name`` is there."""
    return (ROOT / name).exists()


def create(name: str) -> None:
    """Make ``name`` with its loopback up; one that is there stays."""
    if not exists(name):
        ip("netns", "add", name)
    run(name, ["ip", "link", "set", "lo", "up"])


def delete(name: str) -> None:
    """Remove ``name`` if it is there. Processes inside keep it alive until they end."""
    if exists(name):
        ip("netns", "delete", name)


def pids(name: str) -> list[int]:
    """Processes inside ``name``."""
    return [int(line) for line in ip("netns", "pids", name).split()] if exists(name) else []


def run(name: str, argv: Sequence[str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` inside ``name`` to its end, output captured; :class:`KernelError` if it fails."""
    result = subprocess.run(command(name, argv), capture_output=True, text=True, check=False)
    if check and result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise KernelError(f"in {name}: {' '.join(argv)}: {lines[-1] if lines else result.returncode}")
    return result


def command(name: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs ``argv`` inside ``name`` (network namespace only)."""
    return ["nsenter", f"--net={ROOT / name}", "--", *argv]


@contextmanager
def inside(name: str | None) -> Iterator[None]:
    """This thread within ``name`` for a block; within a new namespace, which ends with the block, for None.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if name is None:
            _call("unshare", _CLONE_NEWNET)
        else:
            _enter(ROOT / name)
        try:
            yield
        finally:
            _call("setns", home, _CLONE_NEWNET)
    finally:
        os.close(home)


def is_of_machine() -> bool:
    """Whether this process is in the network namespace of the machine (or container), not in one within it.

    A service with few capabilities may not look at process 1: it is in the machine's unless its unit names another.
    """
    try:
        return os.readlink("/proc/1/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:  # hidden from us
        if os.environ.get("SYSTEMD_EXEC_PID") != str(os.getpid()):
            return False
    try:
        return not any(os.path.samefile("/proc/self/ns/net", ROOT / name) for name in names())
    except OSError:
        return False


def is_mount(path: Path) -> bool:
    """Whether the file is a mount of its own, as in containers and under ``ip netns exec``."""
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split(" ")[4] == os.fspath(path) for line in mounts)


def _enter(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KernelError(f"no network namespace {path.name}", "see `ip netns`") from None
    try:
        _call("setns", descriptor, _CLONE_NEWNET)
    finally:
        os.close(descriptor)


def _call(function: str, *arguments: int) -> None:
    if ctypes.CDLL(None, use_errno=True)[function](*arguments):
        what = "make" if function == "unshare" else "enter"
        raise NotPermitted(f"{what} a network namespace: {os.strerror(ctypes.get_errno())}", "run as root")


def ip(*arguments: str) -> str:
    """What ``ip`` says; raises :class:`NotPermitted` or :class:`KernelError`."""
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        complaint = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        failure = NotPermitted if "not permitted" in result.stderr else KernelError
        raise failure(f"ip {' '.join(arguments)}: {complaint[-1]}", "run as root; needs iproute2")
    return result.stdout
