"""Reach a gateway: name, TCP (through an HTTP proxy if told), TLS. Every fault says what was tried."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from manageout.errors import BadArgument, ConnectError, WireError
from manageout.protocol.iphttps.values import ConnectFault
from manageout.service.iphttps.addresses import HostAddresses
from manageout.service.tls import contexts as tls
from manageout.service.tls.stream import TlsStream
from manageout.wire.iphttps import HeadParser, StatusHead, build_connect
from manageout.words import said

PASSING = (500, 502, 503, 504)
"""Answers of a proxy that may be others a second later: it cannot reach the gateway just now."""
HANDSHAKE_LIMIT = 30.0
"""Seconds for the whole TLS handshake, however it drips."""
EXAMPLES = {"https": "https://gateway.example.com/IPHTTPS", "http": "http://proxy.example.com:8080"}


@dataclass(frozen=True)
class GatewayUrl:
    """Where to connect, from a URL such as ``https://gateway.corp.example/IPHTTPS``."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> GatewayUrl:
        """Raises :class:`BadArgument` for what cannot be a gateway's URL."""
        host, port, parts = _split(url, "https", 443)
        return cls(host, port, parts.path if parts.path not in ("", "/") else "/IPHTTPS")


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy, from ``http://[USER:PASSWORD@]HOST[:PORT]`` or ``HOST:PORT``."""

    host: str
    port: int
    basic: tuple[str, str] | None

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Raises :class:`BadArgument` for what cannot be a proxy's URL."""
        full = url if "://" in url else f"http://{url}"
        host, port, parts = _split(full, "http", 8080)
        if full != url and parts.port is None:  # a word that got here by mistake
            raise BadArgument(f"the proxy {url!r} has no port", f"write it like {EXAMPLES['http']}")
        basic = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(host, port, basic)


class Dialer:
    """Makes connections to one gateway, and remembers its addresses from one to the next."""

    def __init__(
        self,
        gateway: GatewayUrl,
        proxy: Proxy | None,
        device: Callable[[str], str | None] = lambda address: None,
    ) -> None:
        """``device``: to which device a connection to an address must be bound, if it must."""
        self._gateway, self._proxy = gateway, proxy
        self._addresses = HostAddresses((proxy or gateway).host, (proxy or gateway).port)
        self._device = device

    def network_changed(self) -> None:
        """Names are asked anew; a question that hangs went to a server of the old network."""
        self._addresses.forget_question()

    async def dial(self, context: ssl.SSLContext, patience: float, talk: float) -> TlsStream:
        """A TLS connection, its certificate verified; ``patience`` and ``talk`` as in ``iphttps.Connect``.

        Raises :class:`ConnectError`.
        """
        gateway, proxy = self._gateway, self._proxy
        what = "proxy" if proxy else "gateway"
        sock, address = await self._addresses.connect(what, patience, self._device)
        try:
            rest = await _through(proxy, gateway, sock, talk) if proxy else b""
            # The name in the URL is the name that the certificate must carry ([MS-IPHTTPS] 4.2.3).
            stream = TlsStream(sock, context, server_hostname=gateway.host)
            stream.feed(rest)
            await _handshake(stream, gateway, talk)
        except BaseException as error:
            sock.close()
            if isinstance(error, ConnectError):
                self._addresses.put_last(address)
            raise
        return stream


async def _through(proxy: Proxy, gateway: GatewayUrl, sock: socket.socket, patience: float) -> bytes:
    """CONNECT; returns bytes that came behind the proxy's answer: they are TLS already."""
    loop = asyncio.get_running_loop()
    parser = HeadParser()
    try:
        async with asyncio.timeout(patience):
            await loop.sock_sendall(sock, build_connect(gateway.host, gateway.port, proxy.basic))
            while parser.head is None:
                if not (data := await loop.sock_recv(sock, 4096)):
                    raise ConnectError(f"proxy {proxy.host} ended the connection")
                parser.feed(data)
    except TimeoutError:
        raise ConnectError(f"proxy {proxy.host} does not answer", "", ConnectFault.TIMED_OUT) from None
    except (OSError, WireError) as error:
        raise ConnectError(f"proxy {proxy.host}: {said(error)}") from None
    if not isinstance(parser.head, StatusHead):
        raise ConnectError(f"proxy {proxy.host}: not an HTTP answer", refused=True)
    if parser.head.status == 407:
        asked = parser.head.headers.get("proxy-authenticate", "unknown").split(" ")[0]
        hint = "write it into the URL: --proxy http://USER:PASSWORD@HOST:PORT"
        if proxy.basic is not None or asked.lower() != "basic":
            hint = f"it asks for {asked}; Basic is what can be given"
        raise ConnectError(f"proxy {proxy.host} wants a user name and password", hint, refused=True)
    if not 200 <= (status := parser.head.status) < 300:
        words = f"proxy {proxy.host} refuses: {status} {parser.head.reason}"
        raise ConnectError(words, refused=status not in PASSING)
    return parser.rest


async def _handshake(stream: TlsStream, gateway: GatewayUrl, patience: float) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(stream, readable.set)
    try:
        async with asyncio.timeout(HANDSHAKE_LIMIT):
            while not stream.handshake():
                async with asyncio.timeout(patience):
                    await readable.wait()
                readable.clear()
    except TimeoutError:
        raise ConnectError(f"gateway {gateway.host}: no TLS answer", "", ConnectFault.TIMED_OUT) from None
    except ssl.SSLCertVerificationError as error:
        hint = f"it must carry the name {gateway.host}, and its authority be in --ca"
        code = ConnectFault.NO_CERTIFICATE if error.verify_code in (62, 64) else ConnectFault.UNTRUSTED_ROOT
        raise ConnectError(tls.explain(error, "the gateway's"), hint, code, refused=True) from None
    except ssl.SSLError as error:
        words = f"TLS: {tls.explain(error, 'the gateway')}"
        raise ConnectError(words, "", ConnectFault.TLS, refused=True) from None
    except (OSError, EOFError) as error:
        words = getattr(error, "strerror", None) or "the connection ended in the TLS handshake"
        raise ConnectError(f"gateway {gateway.host}: {words}", "", ConnectFault.TLS) from None
    finally:
        loop.remove_reader(stream)


def _split(url: str, scheme: str, default_port: int) -> tuple[str, int, SplitResult]:
    example = EXAMPLES[scheme]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or default_port
    except ValueError:
        raise BadArgument(f"{url!r} is no URL", f"write it like {example}") from None
    if parts.scheme != scheme or not host:
        raise BadArgument(f"{url!r} is no {scheme} URL", f"write it like {example}")
    return host, port, parts
