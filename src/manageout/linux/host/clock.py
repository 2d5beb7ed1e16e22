"""The kernel's clock."""

import ctypes

_TIME_ERROR = 5


def is_set() -> bool:
    """Whether the kernel believes its clock (adjtimex(2))."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, zero: only read
    return int(ctypes.CDLL(None).adjtimex(buffer)) != _TIME_ERROR
