"""Where clients connect: sockets of our own, and those that systemd keeps open over our restarts."""

import errno
import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from manageout.errors import KernelError, NotPermitted
from manageout.service.process.finding import Finding, finding
from manageout.wire.host_port import HostPort

DEFER = 1
"""Seconds that the kernel keeps a silent connection to itself (TCP_DEFER_ACCEPT): in TLS the client speaks first."""
_REMEDY = (
    "write each place of gateway.listen as a ListenStream= into manageout.socket, with BindIPv6Only=ipv6-only, "
    "then: systemctl daemon-reload; systemctl restart manageout.socket manageout.service"
)


class Inherited:
    """Listening sockets that came with the process. They stay open: a place may leave the site file and come back."""

    def __init__(self, found: Iterable[socket.socket] = ()) -> None:
        self._sockets: dict[HostPort, socket.socket] = {}
        self._unfit: dict[str, str] = {}
        for sock in found:
            if fault := _fault(sock):
                self._unfit[_shown(sock)] = fault
            else:
                host, port, *_ = sock.getsockname()
                self._sockets[HostPort(ip_address(host), port)] = sock

    def take(self, listener: str) -> socket.socket | None:
        """The socket for ``ADDRESS:PORT``, if it is here. Raises :class:`KernelError` when one is in its way."""
        found = self._sockets.get(HostPort.parse(listener))
        if found is not None:
            sock = found.dup()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER)
            return sock
        port = HostPort.parse(listener).port
        for shown, fault in self._unfit.items():
            if shown.rpartition(":")[2] == str(port):
                raise KernelError(f"cannot listen on {listener}: systemd has {shown}, {fault}", _REMEDY)
        for shown in map(_shown, self._sockets.values()):
            if _overlap(shown, listener):
                raise KernelError(
                    f"cannot listen on {listener}: systemd has {shown}, which overlaps", _REMEDY
                )
        return None

    def findings(self, wanted: Iterable[str]) -> Iterator[Finding]:
        """Where what systemd keeps and what the site file says are not the same."""
        places = {HostPort.parse(listener): listener for listener in wanted}
        unused = {shown: f", but it is {fault}" for shown, fault in self._unfit.items()}
        for where in self._sockets.keys() - places.keys():
            unused[_shown(self._sockets[where])] = ", but gateway.listen does not name it"
        for shown, why in sorted(unused.items()):
            yield finding("LISTEN-UNUSED", place=shown, why=why, remedy=_REMEDY)
        if self._sockets or self._unfit:
            for listener in sorted(places[where] for where in places.keys() - self._sockets.keys()):
                yield finding("LISTEN-NOT-KEPT", place=listener, remedy=_REMEDY)


def listen(listener: str, ours: Iterable[str] = ()) -> socket.socket:
    """A listening socket of our own on ``ADDRESS:PORT``; ``ours``: where we listen already.

    Raises :class:`NotPermitted` or :class:`KernelError`, one clear line, when it cannot be had.
    """
    address, port = HostPort.parse(listener)
    sock = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((str(address), port))
        sock.listen(1024)
        sock.setblocking(False)
    except PermissionError:
        sock.close()
        raise NotPermitted(
            f"not permitted to listen on {listener}", "run as root, or grant CAP_NET_BIND_SERVICE"
        ) from None
    except OSError as error:
        sock.close()
        hint = f"see who has it: ss -ltnp 'sport = :{port}'; or change gateway.listen"
        if error.errno == errno.EADDRNOTAVAIL:
            hint = "see `ip address`: no device has this address, or one in a VRF; or change gateway.listen"
        if error.errno == errno.EADDRINUSE:
            hint += "; if systemd has it (manageout.socket), start manageout.service, not the program by hand"
            if (wider := next((each for each in ours if _overlap(each, listener)), None)) is not None:
                hint = f"we listen on {wider}, which overlaps: a reload cannot replace it, systemctl restart manageout"
        raise KernelError(f"cannot listen on {listener}: {error.strerror}", hint) from None
    return sock


def _overlap(one: str, other: str) -> bool:
    """Two sockets cannot have both places: all addresses of a family, and one of them."""
    (first, port), (second, same) = HostPort.parse(one), HostPort.parse(other)
    return (
        port == same and first.version == second.version and (first.is_unspecified or second.is_unspecified)
    )


def _fault(sock: socket.socket) -> str:
    """Why a socket cannot be one of ours; empty when it can."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return "no TCP socket"
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "not listening (Accept= must be no)"
    if sock.family == socket.AF_INET6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        host = ip_address(sock.getsockname()[0].partition("%")[0])
        if host.is_unspecified:
            return "of both families at once"
    return ""


def _shown(sock: socket.socket) -> str:
    name = sock.getsockname()
    if sock.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"{name[0]}:{name[1]}" if sock.family == socket.AF_INET else str(name)
