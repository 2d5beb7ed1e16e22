"""Which records of clients the intranet's DNS should hold, and what has still to be done about it. No I/O.

Each owner name (``laptop.corp.example``, the two reverse names) is one :class:`Entry`: what is wanted there and what
the server has last confirmed. A difference becomes a :class:`Task`; the driver carries it out and tells the
:class:`Outcome`. Failures are tried again with a growing delay; an entry outlives a restart in the driver's store.
What is as wanted is looked at soon after it was written, after a restart, and then hourly: servers scavenge, are
restored, or say yes and forget.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from zlib import crc32

from manageout.protocol.core.dues import Dues
from manageout.protocol.names.claims import Claims, is_exact, plain
from manageout.protocol.names.trusted import TRUSTED

FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
TAKEN_DELAY = 300.0
"""Before looking again whether a name that somebody else holds is free."""
SWEEP_AFTER = 60.0
"""Seconds after a start that clients have to return before their records of before are removed."""
LOOK_SOON = 10.0
LOOK_AGAIN = 3600.0
"""The longest time between two looks at a record that stands as wanted."""
LOOKS = 2
"""At a time."""
FORGETS_AFTER = 2
"""Looks in a row that found nothing of what the server had taken."""
MAX_ENTRIES = 200_000

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

Records = frozenset[tuple[str, str]]
"""(type, text): ``("A", "10.0.0.130")``; empty: nothing of ours."""
NOTHING: Records = frozenset()


class Outcome(Enum):
    """What became of a task."""

    DONE = "done"
    TAKEN = "taken"
    """Somebody else's records stand there, or another client's; nothing was changed."""
    OWNED = "owned"
    """The name's exact owner is registered, by another gateway of the site; nothing was changed."""
    NO_ZONE = "no-zone"
    """No zone of the server holds the name: there is nothing to do."""
    FAILED = "failed"
    """Nothing was changed. Try again later."""
    DOUBTFUL = "doubtful"
    """No answer came: it may have been done. Try again later."""
    RESTORED = "restored"
    """A look found it gone, or changed: it was registered again."""
    ELSEWHERE = "elsewhere"
    """A look found that the same client is registered by another gateway: that is newer, and stays."""


class Task(NamedTuple):
    """Make the records of ``name`` equal to ``wanted``. ``known``: what we have put there, or may have."""

    name: str
    wanted: Records
    known: Records
    owner: str = ""
    """The client whose name it is; empty for a reverse name, which belongs to the gateway that gave the address."""
    look: bool = False
    """Only if it is not so already: what is wanted should stand there."""


class Problem(NamedTuple):
    """Why a task was not done: a code for findings, and words."""

    code: str
    words: str


@dataclass
class Entry:
    """One owner name."""

    identity: str
    wanted: Records = NOTHING
    known: Records = NOTHING
    doubtful: Records = NOTHING
    """What may stand there too, after a task whose end nobody knows."""
    due: float = 0.0
    delay: float = FIRST_DELAY
    busy: bool = False
    problem: Problem | None = None
    missed: int = 0
    """Looks in a row that had to restore it."""

    @property
    def settled(self) -> bool:
        """The server holds what is wanted, for certain."""
        return self.wanted == self.known and not self.doubtful


class StoredEntry(NamedTuple):
    """An entry as it is kept."""

    name: str
    identity: str
    wanted: Records
    known: Records
    owned: bool = False
    """The exact owner of the name has been here, whoever holds it still."""


@dataclass
class Names:
    """All entries of this gateway. ``zone`` without a final dot; ``keep_in_grace``: records outlive the connection."""

    zone: str
    reverse: bool = True
    keep_in_grace: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)
    _pending: set[str] = field(default_factory=set)
    """Names that are not as wanted."""
    _dues: Dues = field(default_factory=Dues)
    """Of those that are not the driver's."""
    _looks: Dues = field(default_factory=Dues)
    """When those that stand as wanted are looked at again."""
    _looking: int = 0
    _of: dict[str, set[str]] = field(default_factory=dict)
    """Identity -> owner names."""
    unfit: dict[str, Problem] = field(default_factory=dict)
    """Identities that cannot have a name, and why."""
    reserved: frozenset[str] = frozenset()
    """Names, or first labels, that are the site's own."""
    _claims: Claims = field(default_factory=Claims)
    _here: dict[str, tuple[bytes, bytes | None]] = field(default_factory=dict)
    """Identities that are connected, and their addresses."""

    # --- What is wanted ---------------------------------------------------------------------------------

    def present(self, identity: str, address: bytes, lease: bytes | None, now: float) -> None:
        """The client holds these addresses (16 and 4 bytes)."""
        self._claims.renounce(identity)
        self._here[identity] = address, lease
        name = self.name_of(identity)
        if name is None:
            self._remove(identity, now)  # it had one in another zone
            self.unfit[identity] = Problem("NAME-UNFIT", f"{identity!r} cannot be a client's DNS name")
            return
        if is_exact(identity, name):
            self._note_owner(name, now)
        if not self._gets(identity, name):
            self._remove(identity, now)
            self.unfit.pop(identity, None)
            self._claims.wait(identity, name)
            return
        self.unfit.pop(identity, None)
        wanted = {name: self._forward(address, lease)}
        if self.reverse:
            wanted[IPv6Address(address).reverse_pointer] = frozenset({("PTR", f"{name}.")})
            if lease is not None:
                wanted[IPv4Address(lease).reverse_pointer] = frozenset({("PTR", f"{name}.")})
        former = self._of.get(identity, set()) - wanted.keys()
        for owner in former:
            self._want(owner, identity, NOTHING, now)
        for owner, records in wanted.items():
            self._want(owner, identity, records, now)

    def absent(self, identity: str, now: float) -> None:
        """The client has disconnected."""
        self.unfit.pop(identity, None)
        self._claims.renounce(identity)
        self._here.pop(identity, None)
        if not self.keep_in_grace:
            self._remove(identity, now)

    def released(self, identity: str, now: float) -> None:
        """Its lease is no longer its own."""
        self._claims.renounce(identity)
        self._here.pop(identity, None)
        self._remove(identity, now)

    def name_of(self, identity: str) -> str | None:
        """Its own name if that lies in the zone, else its first label in the zone; None if that is no name for it."""
        lower = plain(identity)
        inside = lower.endswith(f".{self.zone}")
        labels = lower.removesuffix(f".{self.zone}").split(".") if inside else lower.split(".")[:1]
        name = ".".join([*labels, self.zone])
        fits = all(_LABEL.fullmatch(label) for label in labels) and len(name) <= 253
        fits = fits and labels[0] not in TRUSTED and not self.reserved & {labels[0], name}
        return name if fits else None

    def restore(self, stored: Iterable[StoredEntry], now: float) -> None:
        """Take what an earlier process left: wanted again by clients that return soon, removed otherwise."""
        for name, identity, wanted, known, owned in stored:
            if owned or is_exact(identity, name):
                self._claims.own(name)
            if not (wanted or known):
                continue  # only the owner is remembered
            # A task may have been under way: the server may hold what was wanted.
            doubtful = wanted if wanted != known else NOTHING
            wanted_now = wanted if self.keep_in_grace else NOTHING
            entry = Entry(identity, wanted_now, known, doubtful, now if wanted_now else now + SWEEP_AFTER)
            self.entries[name] = entry
            self._of.setdefault(identity, set()).add(name)
            self._look_at(name, entry, now)

    # --- What is to be done -----------------------------------------------------------------------------

    def tasks(self, now: float, limit: int) -> list[Task]:
        """At most ``limit`` tasks that are due; each is the driver's until :meth:`finished`."""
        found: list[Task] = []
        while len(found) < limit and (name := self._dues.take(now)) is not None:
            found.append(self._task(name))
        while len(found) < limit and self._looking < LOOKS and (name := self._looks.take(now)) is not None:
            self._looking += 1
            found.append(self._task(name)._replace(look=True))
        return found

    def look_again(self, now: float) -> None:
        """At everything that is held to stand as wanted."""
        self._looks.hasten(now)

    def finished(self, task: Task, outcome: Outcome, problem: Problem | None, now: float) -> None:
        """What became of a task."""
        self._looking -= task.look
        entry = self.entries.get(task.name)
        if entry is None:
            return
        entry.busy, entry.problem = False, problem
        look = now
        if outcome in (Outcome.DONE, Outcome.NO_ZONE, Outcome.RESTORED):
            entry.known, entry.doubtful = task.wanted, NOTHING
            entry.delay, entry.due = FIRST_DELAY, now
            look = now + self._found(task, outcome, entry)
        elif outcome in (Outcome.TAKEN, Outcome.OWNED):
            entry.known = entry.doubtful = NOTHING
            entry.due = now + TAKEN_DELAY
        elif outcome is Outcome.ELSEWHERE:
            look = now + TAKEN_DELAY
        else:
            if outcome is Outcome.DOUBTFUL:
                entry.doubtful |= task.wanted | task.known
            entry.due = look = now + entry.delay
            entry.delay = min(entry.delay * 2, LONGEST_DELAY)
        self._changed.add(task.name)
        if entry.settled and entry.wanted:
            self._looks.set(task.name, look)
        self._look_at(task.name, entry, now)
        if outcome is Outcome.OWNED:
            self._note_owner(task.name, now)

    def timer(self) -> float | None:
        """When :meth:`tasks` has something, or None; a time that has passed means now."""
        firsts = self._dues.first(), self._looks.first() if self._looking < LOOKS else None
        return min((due for due in firsts if due is not None), default=None)

    def changes(self) -> list[tuple[str, StoredEntry | None]]:
        """What is to be stored: name, entry, or None for an entry that is gone. An empty entry: its owner is known."""
        changed, self._changed = self._changed, set()
        found = []
        for name in changed:
            entry = self.entries.get(name)
            owned = name in self._claims.owners
            remembered = StoredEntry(name, name, NOTHING, NOTHING, owned) if owned else None
            found.append((name, self._stored(name, entry)._replace(owned=owned) if entry else remembered))
        return found

    # --- What can be seen -------------------------------------------------------------------------------

    def problems(self) -> Iterator[tuple[str, Problem]]:
        """Names, or identities, that are not as wanted, and why."""
        for name, entry in self.entries.items():
            if entry.problem is not None:
                yield name, entry.problem
        yield from self.unfit.items()
        for identity, name in self._claims.waiting():
            holder = self.entries.get(name)
            fate = f"{holder.identity} is already" if holder else "belongs to the client of exactly that name"
            yield identity, Problem("NAME-TWICE", f"{identity} would be {name}, which {fate}")

    @property
    def waiting(self) -> int:
        """Entries that are not yet as wanted."""
        return len(self._pending)

    @property
    def registered(self) -> int:
        """Entries that stand in the DNS as wanted."""
        fine = (entry.settled and entry.problem is None for entry in self.entries.values() if entry.wanted)
        return sum(fine)

    def _task(self, name: str) -> Task:
        entry = self.entries[name]
        entry.busy = True
        owner = "" if name.endswith(".arpa") else plain(entry.identity)
        return Task(name, entry.wanted, entry.known | entry.doubtful, owner)

    def _found(self, task: Task, outcome: Outcome, entry: Entry) -> float:
        """What follows from having written or looked: seconds until the next look."""
        if outcome is Outcome.RESTORED:
            entry.missed += 1
            if entry.missed >= FORGETS_AFTER:
                words = f"the server took {task.name} {entry.missed} times and has it no longer"
                entry.problem = Problem("DNS-FORGETS", words)
            return min(LOOK_SOON * 2.0 ** min(entry.missed, 9), LONGEST_DELAY)
        if not task.look and outcome is Outcome.DONE:
            return LOOK_SOON
        entry.missed = 0
        return LOOK_AGAIN * (1 - crc32(task.name.encode()) % 1024 / 8192)  # not all at once

    @staticmethod
    def _stored(name: str, entry: Entry) -> StoredEntry:
        """Doubts are kept as what is known; where that would look settled, :meth:`restore` doubts what is wanted."""
        both = entry.known | entry.doubtful
        known = NOTHING if both == entry.wanted and not entry.settled else both
        return StoredEntry(name, entry.identity, entry.wanted, known)

    def _forward(self, address: bytes, lease: bytes | None) -> Records:
        records = {("AAAA", str(IPv6Address(address)))}
        if lease is not None:
            records.add(("A", str(IPv4Address(lease))))
        return frozenset(records)

    def _remove(self, identity: str, now: float) -> None:
        for owner in list(self._of.get(identity, ())):
            self._want(owner, identity, NOTHING, now)

    def _note_owner(self, name: str, now: float) -> None:
        """The exact owner is here: whoever was only mapped to its name gives it back, and is to wait."""
        if name not in self._claims.owners:
            self._changed.add(name)
            if (forgotten := self._claims.own(name)) is not None:
                self._changed.add(forgotten)
        holder = self.entries.get(name)
        if holder is not None and not is_exact(holder.identity, name):
            former = holder.identity
            if former in self._here:
                self._claims.wait(former, name)
            self._remove(former, now)

    def _gets(self, identity: str, name: str) -> bool:
        """Nobody has it, or has it still in the DNS, and it may."""
        holder = self.entries.get(name)
        return self._claims.may(identity, name) and (holder is None or holder.identity == identity)

    def _bequeath(self, name: str, now: float) -> None:
        """A name of which nothing is left goes to whoever waits for it."""
        heir = self._claims.heir(name)
        if heir is not None:
            address, lease = self._here[heir]
            self.present(heir, address, lease, now)

    def _want(self, owner: str, identity: str, records: Records, now: float) -> None:
        entry = self.entries.get(owner)
        if entry is None:
            if not records or len(self.entries) >= MAX_ENTRIES:
                return
            entry = self.entries[owner] = Entry(identity)
        elif entry.identity != identity:
            if not records:
                return  # it has another holder by now
            self._disown(owner, entry.identity)
            entry.identity = identity
        self._of.setdefault(identity, set()).add(owner)
        if entry.wanted != records or entry.due > now:
            entry.wanted, entry.due, entry.delay = records, now, FIRST_DELAY
            self._changed.add(owner)
        self._look_at(owner, entry, now)

    def _look_at(self, name: str, entry: Entry, now: float) -> None:
        """Note whether there is something to do; forget what is neither wanted nor there."""
        if not entry.settled or entry.busy:
            self._pending.add(name)
            self._looks.discard(name)
            if not entry.busy:
                self._dues.set(name, entry.due)
            return
        self._pending.discard(name)
        self._dues.discard(name)
        if entry.wanted and name not in self._looks:
            self._looks.set(name, now)  # of an earlier process: much may have happened since
        if not entry.wanted:
            self._looks.discard(name)
            del self.entries[name]
            self._changed.add(name)
            self._disown(name, entry.identity)
            self._bequeath(name, now)

    def _disown(self, name: str, identity: str) -> None:
        owned = self._of.get(identity, set())
        owned.discard(name)
        if not owned:
            self._of.pop(identity, None)
