"""Who answers ARP for the leases: the kernel, by one proxy entry for each lease that is held."""

import contextlib
import logging
from collections.abc import Callable

from manageout.errors import ManageoutError
from manageout.linux.netlink import neighbours
from manageout.linux.netlink.neighbours import ProxyArp
from manageout.linux.packets import arp

log = logging.getLogger(__name__)


class LeaseArp:
    """Keeps the proxy entries of ``dev`` equal to the addresses held; without a device it only remembers them."""

    def __init__(self, dev: str | None) -> None:
        self.dev = dev
        self._held: dict[bytes, None] = {}
        self._proxy: ProxyArp | None = None
        self._open = False

    def __len__(self) -> int:
        return len(self._held)

    def open(self) -> None:
        """Begin to answer. Raises :class:`NotPermitted`."""
        self._open = True
        if self.dev is not None:
            self._proxy = ProxyArp(self.dev)
            for v4 in self._held:
                self._answer(v4)

    def close(self, follows: bool = False) -> None:
        """Answer for nothing any more; where another process ``follows`` the kernel goes on answering until then."""
        self._open = False
        if self._proxy is not None and not follows:
            with contextlib.suppress(ManageoutError):
                neighbours.remove_proxies()
        if self._proxy is not None:
            self._proxy.close()
            self._proxy = None

    def move(self, dev: str | None) -> None:
        """Answer on another device from now on."""
        if dev == self.dev:
            return
        running = self._open
        self.close()
        self.dev = dev
        if running:
            self.open()

    def recheck(self) -> None:
        """A device that was down, or is another one by the same name, has lost its entries."""
        if self._proxy is None or not self._held:
            return
        there = {v4 for dev, v4 in neighbours.proxied() if dev == self.dev}
        for v4 in self._held.keys() - there:
            self._answer(v4)

    def hold(self, v4: bytes) -> None:
        """Answer for ``v4``, and say so on the link."""
        if v4 not in self._held:
            self._held[v4] = None
            self._answer(v4)

    def drop(self, v4: bytes) -> None:
        """Answer no more for ``v4``."""
        if v4 in self._held:
            del self._held[v4]
            if self._proxy is not None:
                self._try(self._proxy.remove, v4)

    def _answer(self, v4: bytes) -> None:
        if self._proxy is not None:
            self._try(self._proxy.add, v4)
            arp.announce(self._proxy.dev, v4)

    @staticmethod
    def _try(act: Callable[[bytes], None], v4: bytes) -> None:
        try:
            act(v4)
        except (
            ManageoutError
        ) as error:  # the device has gone; the role moves when another one holds the subnet
            log.warning("%s (%s)", error.message, error.hint)
