"""Kernel parameters below /proc/sys, of the network namespace that we are in.

Names are dotted (``net.ipv6.conf.all.forwarding``); a name with a slash is a path, for devices with a
dot in their name.
"""

import os
from pathlib import Path

from manageout.errors import KernelError, NotPermitted

ROOT = Path("/proc/sys")


def get(name: str) -> str:
    """The present value. Raises :class:`KernelError` when there is no such parameter."""
    try:
        return _path(name).read_text().strip()
    except OSError as error:
        raise KernelError(f"kernel parameter {name}: {os.strerror(error.errno or 0)}") from None


def find(name: str) -> str | None:
    """The present value, or None when there is no such parameter (any more)."""
    try:
        return get(name)
    except KernelError:
        return None


def set(name: str, value: str | int) -> str | None:
    """Set the parameter; returns the previous value, or None when it already had this one."""
    before = get(name)
    if before == str(value):
        return None
    try:
        _path(name).write_text(str(value))
    except PermissionError:
        raise NotPermitted(f"set kernel parameter {name}: not permitted", "run as root") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise KernelError(f"set kernel parameter {name} to {value}: {reason}") from None
    return before


def affected(name: str) -> dict[str, str]:
    """Present values of ``name`` and of what writing it would overwrite, in the order to restore them.

    Writing ``net.ipv6.conf.all.forwarding`` writes every device's own value: those that differ are lost.
    """
    path = _path(name)
    values = {name: get(name)}
    if path.parent.name == "all":
        for other in sorted(path.parent.parent.glob(f"*/{path.name}")):
            each = str(other.relative_to(ROOT))
            value = find(each)
            if value not in (None, values[name]):
                values[each] = str(value)
    return values


def _path(name: str) -> Path:
    return ROOT / (name if "/" in name else name.replace(".", "/"))
