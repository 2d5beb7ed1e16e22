"""RFC 6040 through the tunnel."""

from __future__ import annotations

import pytest

from manageout.protocol.isatap.ecn import ecn_decapsulate, ecn_encapsulate
from tests.vectors import value

TABLE: dict[str, int | str] = value("ECN_decap_table")


@pytest.mark.parametrize("inner", range(4))
@pytest.mark.parametrize("outer", range(4))
def test_the_table_of_rfc_6040(inner: int, outer: int) -> None:
    wanted = TABLE[f"inner{inner}_outer{outer}"]
    assert ecn_decapsulate(inner, outer) == (None if wanted == "drop" else wanted)
    assert ecn_decapsulate(0xB8 | inner, 0x10 | outer) == ecn_decapsulate(inner, outer)


def test_the_outer_header_copies_the_inner_one() -> None:
    assert [ecn_encapsulate(0xB8 | inner) for inner in range(4)] == [0, 1, 2, 3]
