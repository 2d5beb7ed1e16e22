"""Inside or outside? The network-location probe: a web server that only the intranet can reach, asked over HTTPS.

Inside means: its certificate is good and it answers 200. Everything else means outside: no name, no route, a
certificate of somebody else, a redirect (a hotel's log-in page), another status, or silence. An answer that came
through our own tunnel says nothing and counts as outside.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Container
from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from manageout.errors import BadArgument, ManageoutError, WireError
from manageout.service.process.loops import woken
from manageout.service.tls import contexts as tls
from manageout.wire.iphttps import HeadParser, StatusHead

TIMEOUT = 8.0
"""Seconds for everything: name, TCP, TLS, answer."""
PROBES_AFTER_CHANGE = (1.0, 3.0, 10.0, 30.0)
"""Seconds from a change of this machine's network, or from the probe before: DHCP and DNS take their time."""
PROBE_EVERY = 300.0


@dataclass(frozen=True)
class LocationUrl:
    """Where to ask, from a URL such as ``https://nls.corp.example/``."""

    host: str
    port: int
    target: str
    """Path and query."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises :class:`BadArgument`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 443
        except ValueError:
            parts, host, port = urlsplit(""), None, 0
        if parts.scheme != "https" or not host or not url.isascii() or not url.isprintable() or " " in url:
            raise BadArgument(f"{url!r} is no https URL", "write it like https://nls.corp.example/")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(host, port, target)


class Location(NamedTuple):
    """The verdict, and why, for people."""

    inside: bool
    reason: str


async def watch(
    url: LocationUrl,
    context: Callable[[], ssl.SSLContext],
    own: Callable[[], Container[str]],
    moved: asyncio.Event,
) -> AsyncIterator[Location]:
    """A verdict now, after each change of the network (``moved``, which is cleared), and now and then."""
    waits: list[float] = [0.0, *PROBES_AFTER_CHANGE]
    while True:
        if await woken(moved, waits.pop(0) if waits else PROBE_EVERY):
            moved.clear()
            waits = [*PROBES_AFTER_CHANGE]
            continue
        try:
            yield await probe(url, context, own)
        except ManageoutError as error:  # the authorities' file
            yield Location(False, error.message)


async def probe(
    url: LocationUrl, context: Callable[[], ssl.SSLContext], own: Callable[[], Container[str]]
) -> Location:
    """Ask once. ``own``: the addresses of the tunnel, over which an answer is worth nothing.

    Never raises but :class:`PkiError` for files that ``context`` cannot read.
    """
    settings = context()
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _ask(url, settings, own)
    except TimeoutError:
        return Location(False, f"{url.host} does not answer")
    except ssl.SSLError as error:
        return Location(False, f"{url.host}: {tls.explain(error, 'its')}")
    except (socket.gaierror, UnicodeError):
        return Location(False, f"{url.host} has no address here")
    except (WireError, EOFError):
        return Location(False, f"{url.host}: no HTTP answer")
    except OSError as error:
        return Location(False, f"{url.host}: {error.strerror or 'cannot be reached'}")


async def _ask(url: LocationUrl, context: ssl.SSLContext, own: Callable[[], Container[str]]) -> Location:
    # As it stands: below a search domain it would be another name, and one of the site's.
    absolute = f"{url.host}." if "." in url.host and url.host[-1] not in ".0123456789" else url.host
    reader, writer = await asyncio.open_connection(
        absolute, url.port, ssl=context, server_hostname=url.host, ssl_shutdown_timeout=0.5
    )
    try:
        # Before the question: a server behind the tunnel would answer it as one in front.
        if str(writer.get_extra_info("sockname")[0]).partition("%")[0] in own():
            return Location(False, f"{url.host} is reached through the tunnel")
        host = f"[{url.host}]" if ":" in url.host else url.host
        port = "" if url.port == 443 else f":{url.port}"
        head = f"GET {url.target} HTTP/1.1\r\nHost: {host}{port}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        parser = HeadParser()
        while parser.head is None:
            if not (data := await reader.read(4096)):
                raise EOFError
            parser.feed(data)
    finally:
        with contextlib.suppress(Exception):
            writer.transport.abort()
    if not isinstance(parser.head, StatusHead):
        raise WireError("not an HTTP answer")
    status = parser.head.status
    if status == 200:
        return Location(True, f"{url.host} answers")
    extra = ": redirects are not followed" if 300 <= status < 400 else ""
    return Location(False, f"{url.host} answers {status}{extra}")
