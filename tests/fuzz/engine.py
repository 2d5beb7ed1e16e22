"""What a driver is, how its inputs are made, and how it is run: all deterministic from a seed."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from manageout.errors import ManageoutError, WireError

MAX_INPUT = 2048
SHARE_OF_NOISE = 0.03
"""Inputs that are random bytes; the others are altered seeds."""
SHARE_OF_REPAIR = 0.6
"""Altered seeds whose lengths and checksums are put right again, so that the change gets past them."""
_TELLING = (0, 1, 2, 7, 8, 15, 16, 39, 40, 41, 58, 59, 60, 63, 64, 127, 128, 254, 255)


@dataclass(frozen=True)
class Target:
    """A driver: ``run`` decodes one input and checks what came out.

    It may raise one of ``refuses`` and nothing else. ``repair`` puts lengths and checksums right in place.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    repair: Callable[[bytearray], None] | None = None
    refuses: tuple[type[ManageoutError], ...] = (WireError,)


class Finding(Exception):
    """An input that a driver failed on; replaying ``data`` shows it again."""

    def __init__(self, target: str, data: bytes, error: Exception) -> None:
        super().__init__(f"{target}: {type(error).__name__}: {error}")
        self.target = target
        self.data = data
        self.trace = "".join(traceback.format_exception(error))


class Tally(NamedTuple):
    """How a run went."""

    accepted: int
    refused: int


def run(target: Target, inputs: int, seed: str = "0") -> Tally:
    """Feed ``inputs`` inputs. Raises :class:`Finding` at the first failure."""
    refused = 0
    for data in mutations(target, inputs, seed):
        try:
            target.run(data)
        except target.refuses:
            refused += 1
        except Exception as error:
            raise Finding(target.name, data, error) from error
    return Tally(inputs - refused, refused)


def mutations(target: Target, inputs: int, seed: str) -> Iterator[bytes]:
    """The seeds themselves, then altered ones and noise."""
    dice = random.Random(f"{seed}/{target.name}")
    seeds = list(target.seeds)
    yield from seeds[:inputs]
    for _ in range(inputs - len(seeds)):
        if not seeds or dice.random() < SHARE_OF_NOISE:
            yield dice.randbytes(int(dice.random() * 200))
            continue
        data = bytearray(seeds[int(dice.random() * len(seeds))])
        while True:
            _ALTERATIONS[int(dice.random() * len(_ALTERATIONS))](data, dice, seeds)
            if dice.random() < 0.5:
                break
        del data[MAX_INPUT:]
        if target.repair is not None and dice.random() < SHARE_OF_REPAIR:
            target.repair(data)
        yield bytes(data)


# --- Alterations ----------------------------------------------------------------------------------------


def _place(data: bytearray, dice: random.Random) -> int:
    return int(dice.random() * len(data))


def _flip_bit(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    if data:
        data[_place(data, dice)] ^= 1 << int(dice.random() * 8)


def _any_byte(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    if data:
        data[_place(data, dice)] = int(dice.random() * 256)


def _telling_byte(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    if data:
        data[_place(data, dice)] = _TELLING[int(dice.random() * len(_TELLING))]


def _telling_word(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    start = _place(data, dice)
    value = len(data) + int(dice.random() * 5) - 2 if dice.random() < 0.5 else int(dice.random() * 65536)
    data[start : start + 2] = (value & 0xFFFF).to_bytes(2, "big")


def _cut(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    del data[_place(data, dice) :]


def _remove(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    start = _place(data, dice)
    del data[start : start + 1 + int(dice.random() * 16)]


def _repeat(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    start = _place(data, dice)
    data[start:start] = data[start : start + 1 + int(dice.random() * 64)]


def _insert(data: bytearray, dice: random.Random, _: list[bytes]) -> None:
    start = _place(data, dice)
    data[start:start] = dice.randbytes(1 + int(dice.random() * 24))


def _append(data: bytearray, dice: random.Random, seeds: list[bytes]) -> None:
    data += seeds[int(dice.random() * len(seeds))]


def _splice(data: bytearray, dice: random.Random, seeds: list[bytes]) -> None:
    other = seeds[int(dice.random() * len(seeds))]
    data[_place(data, dice) :] = other[int(dice.random() * len(other)) :]


_ALTERATIONS: tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...] = (
    _flip_bit,
    _any_byte,
    _telling_byte,
    _telling_word,
    _cut,
    _remove,
    _repeat,
    _insert,
    _append,
    _splice,
)
