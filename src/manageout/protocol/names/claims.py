"""Who may have a client's name: whoever is called exactly so first, then who has waited longest. No I/O.

A certificate's name outside the zone leads to its first label in the zone. That right is the weaker one: it gives way
to the identity that is exactly the name, and a name whose exact owner has ever been seen is nobody else's, also while
that client is away. Or a second certificate ``laptop.branch.example`` would become ``laptop.corp.example``, and get
what people type for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_OWNERS = 200_000
"""Exact owners that are remembered; beyond that the one seen first is forgotten."""


def plain(identity: str) -> str:
    """As names in the DNS are compared."""
    return identity.lower().rstrip(".")


def is_exact(identity: str, name: str) -> bool:
    """It is this name, not only mapped to it."""
    return plain(identity) == name


@dataclass
class Claims:
    """Known owners, and who waits for a name."""

    owners: dict[str, None] = field(default_factory=dict)
    """Names whose exact owner has been here, the one seen first first."""
    _waiting: dict[str, dict[str, None]] = field(default_factory=dict)
    """Name -> identities, the longest waiting first."""
    _name_of: dict[str, str] = field(default_factory=dict)

    def own(self, name: str) -> str | None:
        """The name's exact owner has been seen. A name that is forgotten for it, or None."""
        if name in self.owners:
            return None
        self.owners[name] = None
        if len(self.owners) <= MAX_OWNERS:
            return None
        forgotten = next(iter(self.owners))
        del self.owners[forgotten]
        return forgotten

    def may(self, identity: str, name: str) -> bool:
        """It could have the name if nobody had it."""
        return is_exact(identity, name) or name not in self.owners

    def wait(self, identity: str, name: str) -> None:
        """It would have the name."""
        self._waiting.setdefault(name, {})[identity] = None
        self._name_of[identity] = name

    def renounce(self, identity: str) -> None:
        """It waits no more."""
        name = self._name_of.pop(identity, None)
        if name is not None:
            waiting = self._waiting[name]
            waiting.pop(identity)
            if not waiting:
                del self._waiting[name]

    def heir(self, name: str) -> str | None:
        """Who gets a name that is free: its exact owner, else the longest waiting that may."""
        fit = [identity for identity in self._waiting.get(name, ()) if self.may(identity, name)]
        return next((identity for identity in fit if is_exact(identity, name)), fit[0] if fit else None)

    def waiting(self) -> Iterator[tuple[str, str]]:
        """Identity, and the name that it would have."""
        yield from self._name_of.items()
