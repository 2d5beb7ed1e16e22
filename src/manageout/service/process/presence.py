"""Who is connected, told to those who want to know: translator, names, policy.

The transports say which identity holds which IPv6 address; the keeper of leases turns that into one
:class:`Client` an identity in :class:`Presence`, which tells every :class:`Watcher`, in the order of events.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

log = logging.getLogger(__name__)


class Client(NamedTuple):
    """One connected client."""

    identity: str
    """The name in its certificate, in lower case."""
    address: bytes
    """Its stable IPv6 address (16 bytes): the one of the lease and of its AAAA record."""
    others: tuple[bytes, ...]
    """Its further IPv6 addresses on the link, such as temporary ones (RFC 8981)."""
    lease: bytes | None
    """Its intranet IPv4 address (4 bytes), or None: no translation, or no address left."""
    peer: str
    """Where it connects from."""
    transport: str
    """``ip-https``."""
    since: float
    """Unix time of its arrival."""

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """All of IPv6, the stable one first."""
        return (self.address, *self.others)


class Watcher:
    """Is told in the event loop's thread, when :class:`Presence` knows; must not block, and must not raise."""

    def present(self, client: Client, before: Client | None) -> None:
        """It has arrived, or something about it has changed: it was ``before``."""

    def absent(self, client: Client) -> None:
        """It has disconnected; its lease is held for it. Not told when it returns at once elsewhere."""

    def released(self, identity: str, lease: bytes) -> None:
        """Its time of grace is over, or other rules took it: the lease is no longer its own."""


class Presence:
    """Who is connected: the one table of it. The keeper of leases changes it, watchers hear so, anybody may ask."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = list(watchers)
        self._clients: dict[str, Client] = {}
        self._owners: dict[bytes, str] = {}

    def watch(self, watcher: Watcher) -> None:
        """Tell it too, after those who were there before."""
        self._watchers.append(watcher)

    def get(self, identity: str) -> Client | None:
        """If it is connected."""
        return self._clients.get(identity)

    def owner(self, address: bytes) -> str | None:
        """Whose address this is, or whose lease: the identity."""
        return self._owners.get(address)

    def owners(self) -> Mapping[bytes, str]:
        """Every address and lease."""
        return self._owners

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def __len__(self) -> int:
        return len(self._clients)

    def present(self, client: Client) -> None:
        """It is so now."""
        before = self._clients.get(client.identity)
        if client == before:
            return
        if before is not None:
            self._disown(before)
        self._clients[client.identity] = client
        self._owners.update(dict.fromkeys(_held(client), client.identity))
        self._tell(lambda watcher: watcher.present(client, before))

    def absent(self, identity: str) -> None:
        """It has gone."""
        client = self._clients.pop(identity, None)
        if client is not None:
            self._disown(client)
            self._tell(lambda watcher: watcher.absent(client))

    def released(self, identity: str, lease: bytes) -> None:
        """The lease is no longer its own."""
        self._tell(lambda watcher: watcher.released(identity, lease))

    def _disown(self, client: Client) -> None:
        """An address that another client has by now stays that one's."""
        for address in _held(client):
            if self._owners.get(address) == client.identity:
                del self._owners[address]

    def _tell(self, tell: Callable[[Watcher], None]) -> None:
        for watcher in self._watchers:
            try:
                tell(watcher)
            except Exception:  # the fault of one must not keep the others from hearing it
                log.exception("%s could not follow who is connected", type(watcher).__name__)


def _held(client: Client) -> tuple[bytes, ...]:
    return client.addresses if client.lease is None else (*client.addresses, client.lease)
