"""The whole translator: what the slow path decides where the fast path does not."""

from __future__ import annotations

from manageout.protocol.translator import Mtus, Translator, Verdict
from tests.unit.protocol.test_translate_fast import mappings
from tests.vectors import vector


def test_fast_path_is_part_of_it() -> None:
    translator = Translator(mappings(), Mtus())
    assert translator.fast(vector("SIIT_udp_v6"), 0x1234).verdict is Verdict.FORWARD
