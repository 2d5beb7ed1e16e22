"""A kernel that lacks what the rules need: told in one line before anything is changed, by ``run`` and by ``check``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.linux.host import sysctl
from tests.tools.kernels import errors, held
from tests.tools.places.daemon import ROUTE, ROUTER, Place

MODULES = "nft_fib_inet", "nft_fib_ipv6", "nft_fib_ipv4", "nft_fib"


@pytest.fixture
def without_fib() -> Iterator[None]:
    """Takes it from the whole machine for a moment: only where that is ours alone."""
    if "KERNEL_MACHINE" not in os.environ:
        pytest.skip("takes a module from the whole machine: scripts/kernel-machine has one to itself")
    for module in MODULES:
        subprocess.run(["modprobe", "--remove", module], check=False)
    assert not any(line.startswith("nft_fib ") for line in Path("/proc/modules").read_text().splitlines())
    before = sysctl.get("kernel.modprobe")
    sysctl.set("kernel.modprobe", "/bin/false")
    yield
    sysctl.set("kernel.modprobe", before)


def test_it_says_what_is_missing_and_changes_nothing(place: Place, without_fib: None) -> None:
    place.write(ROUTER, ROUTE, place.gateway)
    before = held(place)
    code, told = place.fails()
    assert code == 1 and len(told) == 2
    assert "refuses the packet filter's rule" in told[0] and "Linux 6.1 or later" in told[1]
    assert held(place) == before
    assert told[0].removeprefix("manageout: ") in errors(place)
