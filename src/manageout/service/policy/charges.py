"""Which client pays for which address: the numbers that its connections are counted by, and when they go. Pure.

A number is a client's as long as anything of its may stand in the kernel's table of connections: while it is
connected, and for :data:`KEEP` seconds after it has let its last address go. What an address has left there is
forgotten after the same time, unless its client is back by then: so it cannot leave entries behind under another
address, or by coming anew.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterable

from manageout.linux.nft.sets import Change
from manageout.service.policy.filter_tracking import OWNERS
from manageout.service.process.presence import Client, Presence

KEEP = 180.0
"""Seconds: a laptop that changes its network is back within, a suspended one begins anew."""
MAX_LEFT = 65_536
"""Addresses that were let go; of further ones the longest gone are forgotten at once."""


class Charges:
    """Who holds what, as ``clients`` knows, and who has held it."""

    def __init__(self, clients: Presence) -> None:
        self.connected = clients
        self._numbers: dict[str, int] = {}
        self._free: list[int] = []
        self._left: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        """Addresses and leases that somebody has let go, the longest ago first."""
        self._kernel: dict[bytes, int] = {}
        self._touched: set[bytes] = set()

    def present(self, client: Client, before: Client | None, now: float) -> None:
        """It has arrived or has other addresses."""
        if client.identity not in self._numbers:
            self._numbers[client.identity] = self._free.pop() if self._free else len(self._numbers) + 1
        for address in _all_of(client):
            self._left.pop(address, None)
        self._touched.update(client.addresses)
        if before is not None:
            self._leave(before, now)

    def absent(self, client: Client, now: float) -> None:
        """It has gone."""
        self._leave(client, now)

    def due(self, now: float, keep: float = KEEP) -> set[bytes]:
        """Addresses and leases whose entries are to be forgotten now; told once."""
        found: set[bytes] = set()
        while self._left:
            address, (since, _) = next(iter(self._left.items()))
            if since + keep > now and len(self._left) <= MAX_LEFT:
                break
            del self._left[address]
            found.add(address)
        if found:
            kept = {client.identity for client in self.connected}
            kept |= {identity for _, identity in self._left.values()}
            for identity in self._numbers.keys() - kept:
                self._free.append(self._numbers.pop(identity))
        return found

    def payer(self, address: bytes) -> str | None:
        """Who has this address or lease now."""
        return self.connected.owner(address)

    def holds(self, address: bytes) -> bool:
        """Whether somebody has this address or lease, or may come back for it."""
        return self.payer(address) is not None or address in self._left

    def numbers(self) -> dict[bytes, int]:
        """What the map holds by what is known; no change of before remains to be made."""
        owners = self.connected.owners().items()
        self._kernel = {address: self._numbers[payer] for address, payer in owners if len(address) == 16}
        self._touched.clear()
        return dict(self._kernel)

    def changes(self) -> list[Change]:
        """What has changed in the map since the last call: first what goes, then what comes."""
        gone, come = [], []
        for address in sorted(self._touched):
            payer = self.payer(address)
            wanted = self._numbers[payer] if payer is not None else None
            there = self._kernel.get(address)
            if there is not None and there != wanted:
                del self._kernel[address]
                gone.append(Change(OWNERS, False, address))
            if wanted is not None and there != wanted:
                self._kernel[address] = wanted
                come.append(Change(OWNERS, True, address, struct.pack("=I", wanted)))
        self._touched.clear()
        return gone + come

    def _leave(self, before: Client, now: float) -> None:
        """What nobody has by now."""
        for address in _all_of(before):
            if self.payer(address) is None:
                if len(address) == 16:
                    self._touched.add(address)
                self._left[address] = now, before.identity
                self._left.move_to_end(address)


def _all_of(client: Client) -> Iterable[bytes]:
    return (*client.addresses, client.lease) if client.lease else client.addresses
