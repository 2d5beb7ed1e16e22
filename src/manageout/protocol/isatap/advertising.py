"""When the ISATAP router advertises to whom, and what: everything, or to hosts that retire, nothing any more.

A host is answered 0 to 0.5 s after its solicitation (RFC 4861 6.2.6). When hosts begin to retire, or no longer do, each
that is known hears of it three times, 16 s apart, for a datagram may be lost (RFC 4861 6.2.4); there is no multicast on
this link. When the message itself has changed, all known hosts are told, one after another at a bounded pace: nothing
is computed for a host before its turn, so that packets do not wait. A *key* is what an advertisement is addressed with:
the host's interface identifier and our locator.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from manageout.protocol.core.prefixes import Prefix, PrefixTable
from manageout.protocol.isatap.nd import AdvertisementTemplate
from manageout.wire import nd

MAX_RA_DELAY = 0.5
SLOT = 0.02
"""Advertisements wait in slots of this many seconds, so that one timer serves thousands (RFC 4861 6.2.6)."""
TIMES, INTERVAL = 3, 16.0
PER_SECOND = 5000
"""Hosts that are told something unasked: of 100,000 the last hears it after 20 s."""
CATCH_UP = 4
"""After a pause of the driver so many slots' worth goes out at once, and no more."""


class Advertiser:
    """Templates and slots. ``random`` returns a float in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        # Slot number -> keys to advertise to in it; a host that waits for its answer is not noted again.
        self._slots: dict[int, list[bytes]] = {}
        self._waiting: set[bytes] = set()
        self._retiring: PrefixTable[bool] = PrefixTable()
        self._everybody: Callable[[], Iterator[bytes]] = lambda: iter(())
        self._rounds = 0
        """That have still to begin."""
        self._round: Iterator[bytes] | None = None
        self._next_round = self._paced = 0.0

    def configure(
        self, locators: Sequence[bytes], message: nd.RouterAdvertisement, farewell: nd.RouterAdvertisement
    ) -> None:
        """Advertise ``message`` from each of ``locators``, ``farewell`` to those who are to let go."""
        self._templates = {locator: AdvertisementTemplate(locator, message) for locator in locators}
        self._farewells = {locator: AdvertisementTemplate(locator, farewell) for locator in locators}

    def retire(self, networks: Iterable[Prefix]) -> None:
        """From now on the hosts in these IPv4 ``networks`` retire, and no others."""
        self._retiring = PrefixTable((network, True) for network in networks)

    def retires(self, v4: bytes) -> bool:
        """Whether a host is to let go."""
        return len(self._retiring) > 0 and self._retiring.get(v4) is not None

    def answer(self, key: bytes, now: float) -> None:
        """A host solicits."""
        if key not in self._waiting:
            self._waiting.add(key)
            self._note(key, now + self._random() * (MAX_RA_DELAY - SLOT))

    def tell(self, keys: Sequence[bytes], now: float) -> None:
        """Advertise unasked, spread over as long as so many take."""
        spread = max(MAX_RA_DELAY, len(keys) / PER_SECOND)
        for key in keys:
            first = now + self._random() * spread
            for time in range(TIMES):
                self._note(key, first + time * INTERVAL)

    def announce(self, everybody: Callable[[], Iterator[bytes]], now: float) -> None:
        """Advertise to ``everybody``, asked for anew in each round; an announcement that goes on begins again."""
        self._everybody, self._rounds = everybody, TIMES
        self._round, self._next_round = None, now

    def _announced(self, now: float) -> Iterator[bytes]:
        if self._round is None and self._rounds and now >= self._next_round:
            self._rounds -= 1
            self._round = self._everybody()
            self._next_round, self._paced = now + INTERVAL, now - SLOT
        if self._round is None:
            return
        passed, self._paced = min(now - self._paced, CATCH_UP * SLOT), now
        turn = list(islice(self._round, max(1, round(passed * PER_SECOND))))
        if not turn:
            self._round = None
        yield from turn

    def due(self, now: float) -> Iterator[bytes]:
        """Whom to advertise to now."""
        yield from self._announced(now)
        current = int(now / SLOT)
        for slot in sorted(slot for slot in self._slots if slot <= current):
            for key in self._slots.pop(slot):
                self._waiting.discard(key)
                yield key
        if not self._slots:
            self._waiting.clear()  # gives the memory of a rush back

    def timer(self) -> float | None:
        """The next slot with somebody in it."""
        due = [min(self._slots) * SLOT] if self._slots else []
        if self._round is not None:
            due.append(self._paced + SLOT)
        elif self._rounds:
            due.append(self._next_round)
        return min(due, default=None)

    def build(self, key: bytes, ident: int, farewell: bool = False) -> bytes | None:
        """The outer packet for a key; None when the locator was removed while the host waited."""
        v4 = key[4:8]
        template = (self._farewells if farewell or self.retires(v4) else self._templates).get(key[8:])
        return None if template is None else template.address(v4, key[0] == 2, ident)

    def _note(self, key: bytes, moment: float) -> None:
        self._slots.setdefault(int(moment / SLOT) + 1, []).append(key)
