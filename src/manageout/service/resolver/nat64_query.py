"""One question for the NAT64 prefixes of the network (RFC 7050), for ``manageout address nat64``.

Plain sockets, because asyncio or a DNS library would cost more start-up time than the answer takes.
"""

import secrets
import socket
import time
from collections.abc import Callable
from ipaddress import IPv6Network
from pathlib import Path

from manageout.protocol.host import pref64
from manageout.service.resolver.resolv_conf import PATH, servers_of

PATIENCE = 2.0
"""Seconds for all servers together."""


def prefixes(
    path: Path = PATH, port: int = 53, clock: Callable[[], float] = time.monotonic
) -> list[IPv6Network]:
    """What the DNS servers of ``path`` say, the first that answers; nothing when there is no DNS64."""
    try:
        servers = servers_of(path.read_text(errors="replace"))
    except OSError:
        return []
    end = clock() + PATIENCE
    for number, server in enumerate(servers):
        share = (end - clock()) / (len(servers) - number)
        answer = _ask(server, port, share) if share > 0 else None
        if answer is not None:
            return list(answer.prefixes)
    return []


def _ask(server: str, port: int, patience: float) -> pref64.Answer | None:
    asked = pref64.query(secrets.randbelow(0x10000))
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(patience)
            sock.connect(socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM)[0][4])
            sock.send(asked)
            return pref64.read(sock.recv(4096), asked)
    except OSError:
        return None
