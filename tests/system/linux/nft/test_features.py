"""What this kernel's packet filter can do, asked without a trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manageout.linux.host import netns
from manageout.linux.nft import program as nft
from manageout.linux.nft.features import ALL, Features, features


def test_the_kernel_is_asked_and_holds_nothing_after(namespaces: Callable[[str], str]) -> None:
    with netns.inside(namespaces("mo-test-features")):
        features.cache_clear()
        assert features() == ALL
        assert nft.ruleset()[0] == [each for each in nft.ruleset()[0] if "metainfo" in each]


def test_what_nft_refuses_is_not_there(
    namespaces: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manageout.linux.nft.features._COUNTS", "what is this")
    with netns.inside(namespaces("mo-test-features")):
        features.cache_clear()
        assert features() == Features(counts=False, timeouts=True)
    features.cache_clear()
