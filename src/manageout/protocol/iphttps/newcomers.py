"""Connections that are not clients yet: who holds a place among them, and whose attempts come to nothing.

Anybody can open a TCP connection, so a newcomer is judged by where it comes from: its *source* is an IPv4 address or an
IPv6 /64, and in IPv6 also the /56 and the /48 around it, which a provider gives to one customer. Nothing here counts
against a source whose handshakes end well: hundreds of clients share one NAT.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from manageout.protocol.core.bucket import TokenBucket


class Source(NamedTuple):
    """Where a connection comes from: nets from the narrowest, which names it, to the widest."""

    nets: tuple[str, ...]

    @property
    def name(self) -> str:
        """As lists and the log show it."""
        return self.nets[0]


@dataclass(slots=True)
class _Net:
    """A net that holds places: through the narrower nets in it, or by itself."""

    held: int = 0
    nets: dict[str, _Net] = field(default_factory=dict)
    members: OrderedDict[int, None] = field(default_factory=OrderedDict)


class Places:
    """Which connections are on their way to becoming clients. Numbers are those of connections."""

    def __init__(self) -> None:
        self._root = _Net()
        self._sources: dict[int, Source] = {}

    def __len__(self) -> int:
        return len(self._sources)

    def enter(self, number: int, source: Source) -> None:
        """A connection begins."""
        self._sources[number] = source
        net = self._root
        for name in reversed(source.nets):
            net = net.nets.setdefault(name, _Net())
            net.held += 1
        net.members[number] = None

    def leave(self, number: int) -> bool:
        """A connection has become a client, or has ended; False: it held no place any more."""
        source = self._sources.pop(number, None)
        if source is None:
            return False
        net = self._root
        for name in reversed(source.nets):
            around, net = net, net.nets[name]
            net.held -= 1
            if not net.held:
                del around.nets[name]
                return True
        del net.members[number]
        return True

    def who_yields(self, newcomer: Source) -> tuple[int, Source] | None:
        """The oldest connection of the source that would hold most places if ``newcomer`` got one."""
        net = self._root
        while net.nets:
            among = net.nets
            name = max(among, key=lambda name: among[name].held + (name in newcomer.nets))
            net = among[name]
        return self._first(net)

    def oldest(self, source: Source) -> tuple[int, Source] | None:
        """The oldest connection of ``source``."""
        return self._first(self._net(source))

    def held(self, source: Source) -> int:
        """How many places ``source`` has."""
        return self._net(source).held

    def _net(self, source: Source) -> _Net:
        net = self._root
        for name in reversed(source.nets):
            if (found := net.nets.get(name)) is None:
                return _Net()
            net = found
        return net

    def _first(self, net: _Net) -> tuple[int, Source] | None:
        number = next(iter(net.members), None)
        return None if number is None else (number, self._sources[number])


SOURCE_RATE, SOURCE_MOST = 2.0, 128.0
"""Failures that one IPv4 address or /64 may have: a second, and at once. Twice as many for its /56, four times for its
/48."""
ALL_RATE, ALL_MOST = 100.0, 384.0
"""Failures of everybody, beyond which sources are served only if they had a good handshake before, or no bad one."""
FRESH_RATE, FRESH_BURST = 200.0, 400.0
"""Attempts of sources without a bad one that are served then."""
SPARE_RATE, SPARE_BURST = 50.0, 50.0
"""Attempts that are served whatever their source did: its neighbours behind the same NAT come in too."""
COMINGS_RATE, COMINGS_BURST = 0.5, 15.0
"""Times that a certificate may connect, a second and at once, for each connection that it may have at a time."""
MAX_NETS = 8192
MAX_NAMES = 8192
MAX_PROVEN = 4096


class Failures:
    """Handshakes that failed or never ended, counted by source and in total, in bounded memory."""

    def __init__(self) -> None:
        self._allowances: OrderedDict[str, TokenBucket] = OrderedDict()
        """Failures that each net may still have."""
        self._all = TokenBucket(ALL_RATE, ALL_MOST)
        self._fresh = TokenBucket(FRESH_RATE, FRESH_BURST)
        self._spare = TokenBucket(SPARE_RATE, SPARE_BURST)
        self._proven: OrderedDict[str, None] = OrderedDict()

    def may_try(self, source: Source, now: float) -> bool:
        """Whether a handshake of ``source`` may begin."""
        known = [allowance for net in source.nets if (allowance := self._allowances.get(net))]
        if all(allowance.left(now) >= 1 for allowance in known):
            if source.name in self._proven or self._all.left(now) >= 1:
                return True
            if all(allowance.full(now) for allowance in known) and self._fresh.take(now):
                return True
        return self._spare.take(now)

    def failed(self, source: Source, now: float) -> None:
        """A handshake came to nothing. The nets around a source answer for what it may have, not for all it does.

        What is too many is not counted, so that a source is served again within ``1 / rate``.
        """
        self._all.drain(now)
        for size, net in enumerate(source.nets):
            allowance = self._allowances.pop(net, None)
            allowance = allowance or TokenBucket(SOURCE_RATE * 2**size, SOURCE_MOST * 2**size)
            self._allowances[net] = allowance
            spent = allowance.left(now) < 1
            allowance.drain(now)
            if spent:
                break
        while len(self._allowances) > MAX_NETS:
            self._allowances.popitem(last=False)

    def proved(self, source: Source) -> None:
        """A handshake of ``source`` ended well."""
        self._proven[source.name] = None
        self._proven.move_to_end(source.name)
        while len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)


class Comings:
    """How often each certificate connects: one that does nothing else must not keep the others waiting."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, TokenBucket] = OrderedDict()

    def may_come(self, name: str, at_a_time: int, now: float) -> bool:
        """Whether one more connection of ``name``, which may have ``at_a_time``, is to be served."""
        rate, burst = COMINGS_RATE * at_a_time, COMINGS_BURST * at_a_time
        budget = self._names[name] = self._names.pop(name, TokenBucket(rate, burst))
        budget.adjust(rate, burst)
        if len(self._names) > MAX_NAMES:
            self._names.popitem(last=False)
        return budget.take(now)
