"""The binding of libbpf: maps in bulk, and errors that say the one thing that matters."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import pytest

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf.libbpf import BPF_NOEXIST, Object

CONFIG = 24
BPF_EXIST = 2


@pytest.fixture
def loaded() -> Iterator[Object]:
    made = Object(compiled(), "isatap")
    made.constants(".rodata.config", bytes(CONFIG))
    made.load()
    yield made
    made.close()
    made.close()


def compiled() -> bytes:
    return resources.files("manageout.bpf").joinpath("isatap.bpf.o").read_bytes()


def test_a_map_gives_back_what_it_was_given(loaded: Object) -> None:
    peers = loaded.map("peers")
    key, value = bytes([10, 0, 0, 1]), bytes(range(peers.value_size))
    assert peers.lookup(key) is None
    assert not peers.update(key, value, BPF_EXIST)
    assert peers.update(key, value, BPF_NOEXIST)
    assert not peers.update(key, value, BPF_NOEXIST)
    assert peers.lookup(key) == value and peers.all_keys() == [key]
    peers.delete(key)
    peers.delete(key)
    assert peers.all_keys() == [] == list(peers.items())


def test_ten_thousand_entries_are_read_whole(loaded: Object) -> None:
    peers = loaded.map("peers")
    entries = {n.to_bytes(4, "big"): n.to_bytes(peers.value_size, "big") for n in range(10_000)}
    assert all(peers.update(key, value) for key, value in entries.items())
    assert dict(peers.items()) == entries


def test_a_per_cpu_map_has_a_value_for_each(loaded: Object) -> None:
    totals = loaded.map("totals")
    found = totals.lookup(bytes(4))
    assert found is not None and len(found) == totals.value_size and len(found) % 8 == 0


def test_what_is_not_there_is_named(loaded: Object) -> None:
    with pytest.raises(FastPathUnavailable, match="object isatap has no map nothing"):
        loaded.map("nothing")
    with pytest.raises(FastPathUnavailable, match="object isatap has no program nothing"):
        loaded.program("nothing")


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(FastPathUnavailable, match="object junk"):
        Object(b"not an ELF file", "junk")


def test_the_verifier_is_quoted_in_one_line() -> None:
    """A program that reads beyond its context: the ELF file is ours, with one instruction changed."""
    data = bytearray(compiled())
    load_length = bytes([0x61])  # ldxw: the first instruction of this kind in a program reads the context
    at = first_instruction(bytes(data), load_length)
    data[at + 2 : at + 4] = (0x7000).to_bytes(2, "little")
    broken = Object(bytes(data), "broken")
    broken.constants(".rodata.config", bytes(CONFIG))
    with pytest.raises(FastPathUnavailable) as caught:
        broken.load()
    assert caught.value.message.startswith("object broken: refused by the verifier: ")
    assert "\n" not in caught.value.message and "invalid bpf_context access" in caught.value.message
    assert len(caught.value.log.splitlines()) > 3
    broken.close()


def first_instruction(data: bytes, opcode: bytes) -> int:
    """Where, in the section of programs, the first instruction with this opcode stands."""
    sections = int.from_bytes(data[40:48], "little")
    size, count = (int.from_bytes(data[at : at + 2], "little") for at in (58, 60))
    for number in range(count):
        header = data[sections + number * size :][:size]
        flags, offset, length = (int.from_bytes(header[at : at + 8], "little") for at in (8, 24, 32))
        if flags & 4 and length:  # executable
            return next(at for at in range(offset, offset + length, 8) if data[at : at + 1] == opcode)
    raise AssertionError("no programs in the object")
