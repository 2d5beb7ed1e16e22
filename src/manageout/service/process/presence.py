"""Who is connected, told to those who want to know: translator, names, policy.

The transports say which identity holds which IPv6 address; the keeper of leases turns that into one
:class:`Client` an identity and tells every :class:`Watcher`, in the order of events.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


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


class Watcher(Protocol):
    """Is told in the event loop's thread; must not block, and must not raise."""

    def present(self, client: Client) -> None:
        """It has arrived, or something about it has changed."""

    def absent(self, client: Client) -> None:
        """It has disconnected; its lease is held for it. Not told when it returns at once elsewhere."""

    def released(self, identity: str, lease: bytes | None) -> None:
        """Its time of grace is over: the lease is no longer its own."""
