"""The gate: whether anything may pass our devices.

While it is closed they are down, and stay so: whoever repairs devices or routes asks :attr:`Gate.closed` first. It is
closed from the moment when the rules are found gone until they are loaded again and every connection that may have
begun meanwhile is judged. A device that is down takes no packet from the kernel, from its descriptor or from an eBPF
program that redirects into it.
"""

import logging
from collections.abc import Collection

from manageout.errors import ManageoutError
from manageout.linux.netlink.links import Netlink

log = logging.getLogger(__name__)


class Gate:
    """Open until it is closed."""

    def __init__(self, netlink: Netlink) -> None:
        self.closed = False
        self._netlink = netlink

    def close(self, devices: Collection[str]) -> None:
        """Let nothing pass: set ``devices`` down, each whatever becomes of the others."""
        self.closed = True
        for name in devices:
            try:
                self._netlink.set_down(name)
            except ManageoutError as error:
                log.error("%s stays up while the rules are gone: %s", name, error.message)

    def open(self) -> None:
        """The rules are in force again; whoever calls then brings the devices up."""
        self.closed = False
