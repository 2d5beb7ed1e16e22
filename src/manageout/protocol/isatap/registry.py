"""Every ISATAP host that was ever seen, in columns rather than objects: a few hundred bytes a host.

A host is known by its IPv4 address (4 bytes). Totals are kept in two parts, what the slow path counted (and
what was read back from disk) and the latest absolute reading of the fast path's own counters, so that a
reading can simply be stored. Times are wall-clock seconds, because they outlive the process: ``wall_offset``
is what the driver adds to the monotonic clock to get there.

Sources can be forged, so a full table lets newcomers in: the host that was silent for the longest time makes way,
first of those with which there never was traffic both ways. Whoever was answered, and was heard from in the last
minute, stays; only where all are such, whoever sent least makes way, because a stranger can forge that too.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, KeysView, Sequence
from typing import NamedTuple

from manageout.wire.address import isatap_identifier

U_BIT = 1
"""Flag: the host's interface identifier has the u bit set (0200:5efe)."""

_RECHECK = 60.0
_LOOKED_AT = 64
"""So many rows are looked at to find the one that makes way: a full table costs no more than an empty one."""
_GROWTH = 1024
"""The columns grow by so many rows at a time."""


class HostRecord(NamedTuple):
    """One host as it is stored and shown. Times: wall-clock seconds, 0 for never."""

    v4: bytes
    flags: int
    first_seen: int
    last_rs: int
    last_packet: int
    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int
    name: str
    name_checked: int

    def interface_id(self) -> bytes:
        """The 8 bytes that follow a prefix in this host's addresses (RFC 5214 6.1)."""
        return isatap_identifier(self.v4, bool(self.flags & U_BIT))


class Registry:
    """The bounded table of hosts. ``hosts`` is a live view for membership tests."""

    def __init__(self, capacity: int = 131072, forget_after: float = math.inf) -> None:
        self.capacity = capacity
        self.forget_after = forget_after
        self.wall_offset = 0.0
        self._rows: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        self._flags, self._dirty = array("B"), array("B")
        self._dirty_keys: list[bytes] = []
        self._removed: dict[bytes, None] = {}
        self._evicted: list[bytes] = []
        self._hand = 0
        self._first_seen, self._last_rs, self._last_packet, self._name_checked = (
            array("I") for _ in range(4)
        )
        # Packets in, bytes in, packets out, bytes out: the slow path's, then the fast path's reading.
        self._slow = tuple(array("Q") for _ in range(4))
        self._fast = tuple(array("Q") for _ in range(4))
        times = self._first_seen, self._last_rs, self._last_packet, self._name_checked
        self._columns = self._flags, self._dirty, *times, *self._slow, *self._fast
        self._names: dict[bytes, str] = {}
        self._next_clearing = -math.inf

    @property
    def hosts(self) -> KeysView[bytes]:
        """The IPv4 addresses of every host; follows the registry."""
        return self._rows.keys()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, v4: bytes) -> bool:
        return v4 in self._rows

    # Signs of life: the hot calls

    def solicited(self, v4: bytes, u_bit: bool, now: float) -> None:
        """A router solicitation came."""
        row = self._rows.get(v4)
        if row is None:
            row = self._add(v4, now)
        self._last_rs[row] = int(now + self.wall_offset)
        self._flags[row] = U_BIT if u_bit else 0
        if not self._dirty[row]:
            self._dirty[row] = 1
            self._dirty_keys.append(v4)

    def received(self, v4: bytes, size: int, now: float, packets: int = 1) -> None:
        """``packets`` of ``size`` bytes together came from the host."""
        row = self._rows.get(v4)
        if row is None:
            row = self._add(v4, now)
        self._last_packet[row] = int(now + self.wall_offset)
        self._slow[0][row] += packets
        self._slow[1][row] += size
        self._touch(row)

    def sent(self, v4: bytes, size: int, packets: int = 1) -> None:
        """Packets went to the host. An unknown one is not registered: traffic must not fill the table."""
        row = self._rows.get(v4)
        if row is not None:
            self._slow[2][row] += packets
            self._slow[3][row] += size
            self._touch(row)

    def fast_path(self, v4: bytes, counters: Sequence[int], last_seen: float) -> None:
        """Store a reading: packets and bytes in, packets and bytes out, monotonic time of the last in."""
        row = self._rows.get(v4)
        if row is None or (self._fast[0][row], self._fast[2][row]) == (counters[0], counters[2]):
            return
        if counters[0] < self._fast[0][row] or counters[2] < self._fast[2][row]:
            self._settle(row)  # they have started from zero meanwhile
        for column, value in zip(self._fast, counters, strict=True):
            column[row] = value
        if last_seen:
            self._last_packet[row] = max(self._last_packet[row], int(last_seen + self.wall_offset))
        self._touch(row)

    def settle(self, v4: bytes | None = None) -> None:
        """The fast path ends, or forgets a host: its counters start from zero when it comes back."""
        if v4 is None:
            rows: Iterable[int] = range(len(self._keys))
        else:
            rows = (self._rows[v4],) if v4 in self._rows else ()
        for row in rows:
            self._settle(row)

    def _settle(self, row: int) -> None:
        for slow, fast in zip(self._slow, self._fast, strict=True):
            slow[row] += fast[row]
            fast[row] = 0

    # Names

    def named(self, v4: bytes, name: str, now: float) -> None:
        """The PTR name was looked up; ``""`` when there is none."""
        row = self._rows.get(v4)
        if row is None:
            return
        self._name_checked[row] = int(now + self.wall_offset)
        if name:
            self._names[v4] = name
        else:
            self._names.pop(v4, None)
        self._touch(row)

    def unnamed(self, start: int, count: int, older_than: float, now: float) -> list[bytes]:
        """Of ``count`` hosts from row ``start`` on, those not looked up in the last ``older_than`` seconds."""
        limit = int(now + self.wall_offset - older_than)
        end = min(start + count, len(self._keys))
        return [self._keys[row] for row in range(start, end) if self._name_checked[row] < limit]

    # Reading and keeping

    def record(self, v4: bytes) -> HostRecord | None:
        """What is known of one host."""
        row = self._rows.get(v4)
        return None if row is None else next(self._records((row,)))

    def __iter__(self) -> Iterator[HostRecord]:
        return self._records(range(len(self._keys)))

    def active(self, within: float, now: float) -> Iterator[HostRecord]:
        """Hosts that gave a sign of life in the last ``within`` seconds."""
        limit = now + self.wall_offset - within
        return self._records(row for row in range(len(self._keys)) if self._seen(row) >= limit)

    def load(self, records: Iterator[HostRecord]) -> int:
        """Take what an earlier process stored; how many were taken."""
        before, found = len(self._keys), list(records)
        if len(found) > self.capacity:
            found.sort(key=lambda record: max(record.last_rs, record.last_packet), reverse=True)
        for record in found:
            if record.v4 in self._rows or len(self._keys) >= self.capacity:
                continue
            row = self._append(record.v4, record.first_seen)
            self._flags[row] = record.flags
            self._last_rs[row], self._last_packet[row] = record.last_rs, record.last_packet
            self._name_checked[row] = record.name_checked
            for column, value in zip(self._slow, record[5:9], strict=True):
                column[row] = value
            if record.name:
                self._names[record.v4] = record.name
        return len(self._keys) - before

    def changes(self, limit: int) -> tuple[list[HostRecord], list[bytes]]:
        """At most ``limit`` hosts that changed since they were last given, and those that were forgotten."""
        rows: list[int] = []
        taken = 0
        for v4 in self._dirty_keys:  # some have gone, or gone and come back
            if len(rows) >= limit:
                break
            taken += 1
            row = self._rows.get(v4)
            if row is not None and self._dirty[row]:
                self._dirty[row] = 0
                rows.append(row)
        del self._dirty_keys[:taken]
        removed, self._removed = list(self._removed), {}
        return list(self._records(rows)), removed

    def unsaved(self, changed: list[HostRecord], removed: list[bytes]) -> None:
        """Give these again at the next :meth:`changes`: they could not be stored."""
        for v4 in removed:
            self._note_removed(v4)
        for record in changed:
            row = self._rows.get(record.v4)
            if row is not None:
                self._touch(row)

    def clear_old(self, now: float) -> list[bytes]:
        """Forget the hosts without a sign of life for ``forget_after`` seconds; at most once a minute."""
        if now < self._next_clearing or math.isinf(self.forget_after):
            return []
        self._next_clearing = now + _RECHECK
        limit = now + self.wall_offset - self.forget_after
        return self._forget([row for row in range(len(self._keys)) if self._seen(row) < limit])

    def _forget(self, rows: list[int]) -> list[bytes]:
        old = [self._keys[row] for row in rows]
        for v4 in old:
            self._remove(v4)
        return old

    # A full table

    def resize(self, capacity: int) -> None:
        """Hold ``capacity`` hosts from now on; those that are too many make way."""
        self.capacity = capacity
        many = len(self._keys) - capacity
        if many > 0:
            rows = sorted(range(len(self._keys)), key=lambda row: (self._is_proven(row), self._seen(row)))
            self._evicted += self._forget(rows[:many])

    def evicted(self) -> list[bytes]:
        """Hosts that made way since the last call."""
        gone, self._evicted = self._evicted, []
        return gone

    def is_proven(self, v4: bytes) -> bool:
        """Whether packets went both ways: a forged source hears no answer, and seldom goes on."""
        row = self._rows.get(v4)
        return row is not None and self._is_proven(row)

    def _is_proven(self, row: int) -> bool:
        (slow_in, _, slow_out, _), (fast_in, _, fast_out, _) = self._slow, self._fast
        return bool((slow_in[row] or fast_in[row]) and (slow_out[row] or fast_out[row]))

    def _victim(self, now: float) -> int:
        """The row that makes way, of the next :data:`_LOOKED_AT`."""
        count, recent = len(self._keys), int(now + self.wall_offset - _RECHECK)
        rows = [(self._hand + step) % count for step in range(min(_LOOKED_AT, count))]
        self._hand = (rows[-1] + 1) % count
        slow, fast, proven = self._slow[0], self._fast[0], self._is_proven
        if free := [row for row in rows if self._last_packet[row] < recent or not proven(row)]:
            return min(free, key=lambda row: (proven(row), self._seen(row)))
        return min(rows, key=lambda row: slow[row] + fast[row])

    def _seen(self, row: int) -> int:
        return max(self._last_rs[row], self._last_packet[row], self._first_seen[row])

    def _records(self, rows: Iterable[int]) -> Iterator[HostRecord]:
        keys, flags, name = self._keys, self._flags, self._names.get
        first, rs, packet, checked = self._first_seen, self._last_rs, self._last_packet, self._name_checked
        (in_a, octets_in_a, out_a, octets_out_a), (in_b, octets_in_b, out_b, octets_out_b) = (
            self._slow,
            self._fast,
        )
        return (
            HostRecord(
                keys[row], flags[row], first[row], rs[row], packet[row],
                in_a[row] + in_b[row], octets_in_a[row] + octets_in_b[row],
                out_a[row] + out_b[row], octets_out_a[row] + octets_out_b[row],
                name(keys[row], ""), checked[row],
            )
            for row in rows
        )  # fmt: skip

    def _touch(self, row: int) -> None:
        if not self._dirty[row]:
            self._dirty[row] = 1
            self._dirty_keys.append(self._keys[row])

    def _note_removed(self, v4: bytes) -> None:
        """For the file, which has no more than we had: while the disk refuses, the oldest are given up."""
        if v4 in self._rows:
            return
        self._removed[v4] = None
        if len(self._removed) > 2 * self.capacity:
            self._removed = dict.fromkeys(list(self._removed)[self.capacity :])

    def _add(self, v4: bytes, now: float) -> int:
        if len(self._keys) >= self.capacity:
            self._evicted += self._forget([self._victim(now)])
        if len(self._dirty_keys) > 4 * self.capacity:  # of hosts that came and went while the disk refused
            self._dirty_keys = [key for key in dict.fromkeys(self._dirty_keys) if key in self._rows]
        return self._append(v4, int(now + self.wall_offset))

    def _append(self, v4: bytes, first_seen: int) -> int:
        row = len(self._keys)
        self._rows[v4] = row
        self._keys.append(v4)
        if row == len(self._flags):
            for column in self._columns:
                column.frombytes(bytes(_GROWTH * column.itemsize))
        self._removed.pop(v4, None)
        self._first_seen[row] = first_seen
        return row

    def _remove(self, v4: bytes) -> None:
        """Fill the hole with the last row, so that the columns stay dense."""
        row, last = self._rows.pop(v4), len(self._keys) - 1
        self._names.pop(v4, None)
        self._note_removed(v4)
        if row != last:
            moved = self._keys[row] = self._keys[last]
            self._rows[moved] = row
            for column in self._columns:
                column[row] = column[last]
        self._keys.pop()
        for column in self._columns:
            column[last] = 0
