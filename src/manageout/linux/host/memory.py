"""Memory that the C library keeps after use."""

import ctypes


def give_back() -> None:
    """Return what tables left behind when they grew (malloc_trim(3)); does nothing where libc has no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
