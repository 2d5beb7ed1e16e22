"""Longest-prefix match over packed addresses: the slow, obvious twin of the kernel's LPM trie."""

from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Prefix(NamedTuple):
    """A prefix of IPv4 (4 bytes) or IPv6 (16 bytes); host bits are zero."""

    address: bytes
    length: int


class PrefixTable(Generic[V]):
    """Prefix -> value for one address family; look-ups take one dictionary access per distinct length."""

    def __init__(self, entries: Iterable[tuple[Prefix, V]] = ()) -> None:
        self._by_length: dict[int, tuple[int, dict[int, V]]] = {}
        self._entries: dict[Prefix, V] = {}
        for prefix, value in entries:
            shift = len(prefix.address) * 8 - prefix.length
            network = int.from_bytes(prefix.address, "big") >> shift
            _, known = self._by_length.setdefault(prefix.length, (shift, {}))
            known[network] = value
            masked = Prefix((network << shift).to_bytes(len(prefix.address), "big"), prefix.length)
            self._entries[masked] = value
        self._longest_first = [self._by_length[length] for length in sorted(self._by_length, reverse=True)]

    def get(self, address: bytes) -> V | None:
        """The value of the longest prefix that covers ``address``, or None."""
        number = int.from_bytes(address, "big")
        for shift, known in self._longest_first:
            value = known.get(number >> shift)
            if value is not None:
                return value
        return None

    def items(self) -> Iterator[tuple[Prefix, V]]:
        """Every entry, host bits cleared."""
        return iter(self._entries.items())

    def __len__(self) -> int:
        return len(self._entries)
