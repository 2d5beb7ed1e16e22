"""Capabilities of this process: what it has, and giving up all that it does not need.

Capabilities belong to threads, so :func:`keep_only` must run before any other thread is started.
"""

import ctypes
import os
import resource
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

from manageout.errors import KernelError, NotPermitted


class Capability(IntEnum):
    """The capabilities that this project knows by name (capabilities(7))."""

    NET_BIND_SERVICE = 10
    NET_ADMIN = 12
    NET_RAW = 13
    SYS_ADMIN = 21
    PERFMON = 38
    BPF = 39


DAEMON = (
    Capability.NET_BIND_SERVICE, Capability.NET_ADMIN, Capability.NET_RAW, Capability.PERFMON, Capability.BPF,
)  # fmt: skip
"""What the daemon goes on with: port 443, devices and routes, protocol 41, eBPF."""

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _AMBIENT_LOWER = 24, 38, 47, 3
_VERSION_3 = 0x20080522


def effective() -> set[int]:
    """Numbers of the effective capabilities."""
    mask = int(_status("CapEff"), 16)
    return {number for number in range(64) if mask >> number & 1}


def names(numbers: Iterable[int]) -> list[str]:
    """Names as in capabilities(7)."""
    known = {int(capability): f"CAP_{capability.name}" for capability in Capability}
    return [known.get(number, f"CAP_{number}") for number in sorted(numbers)]


def no_new_privileges() -> bool:
    """Whether this process and its children can never gain privileges."""
    return _status("NoNewPrivs") == "1"


def require(capability: Capability, what: str) -> None:
    """Raise :class:`NotPermitted` naming ``what`` when ``capability`` is not effective."""
    if capability not in effective():
        raise NotPermitted(f"{what} needs CAP_{capability.name}", "run as root, or through systemd")


def keep_only(keep: Iterable[Capability]) -> None:
    """Give up every other capability for good, here and in all children. Raises :class:`KernelError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = {int(capability) for capability in keep} & effective()
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in set(range(last + 1)) - wanted:
        # Without CAP_SETPCAP the bounding set stays; no_new_privs below makes it useless.
        libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
        libc.prctl(_PR_CAP_AMBIENT, _AMBIENT_LOWER, number, 0, 0)
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    mask = sum(1 << number for number in wanted)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # Effective, permitted, inheritable: first the low words, then the high ones. Inheritable, because an
    # ambient capability (of a service that does not run as root) must be.
    data = (ctypes.c_uint32 * 6)(low, low, low, high, high, high)
    if libc.capset(ctypes.byref(header), ctypes.byref(data)):
        data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
        _check(libc.capset(ctypes.byref(header), ctypes.byref(data)))


def raise_limits() -> None:
    """As many descriptors as allowed (one a client), and locked memory for eBPF maps on old kernels."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for limit in (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]):
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
            break
        except (ValueError, OSError):
            continue


def _check(result: int) -> None:
    if result:
        raise KernelError(f"privileges cannot be given up: {os.strerror(ctypes.get_errno())}")


def _status(key: str) -> str:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return "0"
