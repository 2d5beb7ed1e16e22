"""A check that fails on its way tells of that, and of what it had found before."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.errors import KernelError
from manageout.service.check.found import Remark, gathered


def test_what_was_found_before_a_failure_is_told() -> None:
    def found() -> Iterator[Remark]:
        yield Remark("warning", "the pool overlaps", "choose another")
        raise KernelError("read the packet filter: nft failed", "needs nftables")

    assert gathered(found) == [
        Remark("warning", "the pool overlaps", "choose another"),
        Remark("error", "read the packet filter: nft failed", "needs nftables"),
    ]
