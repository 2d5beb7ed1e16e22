"""What needs no programs; with them in ``system/linux/bpf``."""

from __future__ import annotations

import socket

from manageout.linux.bpf.fast_path import Direct, allowed, is_ethernet, names_of


def test_devices_that_have_gone_have_no_name() -> None:
    lo = socket.if_nametoindex("lo")
    assert names_of([lo, 0x7FFFFFFF]) == {lo: "lo"}


def test_neither_the_loopback_nor_a_device_that_has_gone_is_ethernet() -> None:
    assert not is_ethernet("lo") and not is_ethernet("mo-gone")


def test_what_the_kernel_does_not_follow_may_go_directly() -> None:
    assert allowed(untracked=True) is Direct.TCP
    assert allowed() in (Direct.UDP, Direct.TCP)
