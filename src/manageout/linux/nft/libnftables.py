"""``libnftables`` by ctypes: rules that are loaded by this process itself, over a socket that it keeps.

The ``nft`` program would do for loading, but a table with the flag ``owner`` (Linux 5.12) belongs to the netlink
socket that made it: no other process can flush or delete it, and it vanishes with the socket. So the rules, and later
the members of their sets, have to go through one socket that lives as long as the process.

For one thread only: messages on a netlink socket must not mix.
"""

import contextlib
import os
import socket

from manageout.errors import KernelError, NotPermitted
from manageout.linux.host.library import library
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.netfilter import NETFILTER

LIBRARY = "libnftables.so.1"

_SO_PROTOCOL = 38


class Context:
    """One context of the library. Raises :class:`KernelError` without the library."""

    def __init__(self) -> None:
        try:
            self._library = library(LIBRARY)
        except OSError:
            raise KernelError(f"{LIBRARY} is not installed", "apt-get install libnftables1") from None
        before = _netfilter_sockets()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise KernelError("libnftables gives no context", "not permitted, or out of memory")
        self._library.nft_ctx_buffer_error(self._context)
        self._library.nft_ctx_buffer_output(self._context)
        made = _netfilter_sockets() - before
        if len(made) != 1:
            self._library.nft_ctx_free(self._context)
            raise KernelError("libnftables does not show its socket", "update nftables: 1.0 or later")
        (descriptor,) = made
        os.set_inheritable(descriptor, False)  # a child must not keep the rules alive
        self.socket = rtnetlink.Socket(shared=descriptor)
        """The same socket, for messages of ours; whoever sends some must read every answer."""

    def run(self, commands: str, what: str) -> None:
        """Do ``commands``, as ``nft -f`` would, in one transaction. Raises :class:`KernelError` naming ``what``."""
        self.socket.notifications()  # what is left of an answer would be taken for one to this
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        told = self._library.nft_ctx_get_error_buffer(self._context) or b""
        self._library.nft_ctx_get_output_buffer(self._context)
        if not failed:
            return
        complaint = next(iter(told.decode(errors="replace").strip().splitlines()), "refused")
        if "Operation not permitted" in complaint:
            raise NotPermitted(f"{what}: {complaint}", "run as root; or another process owns the table")
        raise KernelError(f"{what}: {complaint}", "see `nft list ruleset`; the kernel needs nf_tables")

    def close(self) -> None:
        """Give the sockets back; tables that they own vanish."""
        self.socket.close()
        self._library.nft_ctx_free(self._context)


def _netfilter_sockets() -> set[int]:
    """Descriptors of this process that are netlink sockets to netfilter."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as each:
                kind = each.family, each.getsockopt(socket.SOL_SOCKET, _SO_PROTOCOL)
                if kind == (socket.AF_NETLINK, NETFILTER):
                    found.add(int(name))
    return found
