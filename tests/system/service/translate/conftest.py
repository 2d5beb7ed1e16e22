"""The gateway's translator between two clients and a server, by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tools.places.translation import TranslationPlace


@pytest.fixture
def bare(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[TranslationPlace]:
    """Nothing started."""
    made = TranslationPlace(namespaces, tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(params=[True, False], ids=["ebpf", "python"])
def translated(request: pytest.FixtureRequest, bare: TranslationPlace) -> TranslationPlace:
    """With both clients' leases, on one of the paths."""
    bare.start(fast_path=request.param)
    return bare
