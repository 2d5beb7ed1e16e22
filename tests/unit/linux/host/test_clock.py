"""The kernel's clock, beside what the C library's own tool says."""

from __future__ import annotations

import ctypes

from manageout.linux.host import clock


def test_it_is_set_as_the_c_library_says() -> None:
    class Ntptimeval(ctypes.Structure):
        _fields_ = (("values", ctypes.c_long * 32),)

    state = ctypes.CDLL(None).ntp_gettime(ctypes.byref(Ntptimeval()))
    assert clock.is_set() is (state != 5)  # TIME_ERROR
