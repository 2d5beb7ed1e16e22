"""Giving memory back."""

from __future__ import annotations

from pathlib import Path

from manageout.linux.host.memory import give_back


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_what_lies_between_used_blocks_is_given_back() -> None:
    # Below the size that malloc maps by itself, with a survivor on top, so that free() cannot return them.
    blocks = [bytes([number % 251]) * 100_000 for number in range(400)]
    survivor = b"x" * 100_000
    before = resident()
    blocks.clear()
    give_back()
    assert resident() < before - 20_000_000
    assert len(survivor) == 100_000
