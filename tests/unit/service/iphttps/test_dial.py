"""URLs of gateways and proxies. Dialling itself is tested against real servers in tests/system."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct

import pytest

from manageout.errors import BadArgument, ConnectError
from manageout.service.iphttps.dial import Dialer, GatewayUrl, Proxy


@pytest.mark.parametrize(
    ("url", "gateway"),
    [
        ("https://gateway.corp.example", GatewayUrl("gateway.corp.example", 443, "/IPHTTPS")),
        ("https://gateway.corp.example:8443/IPTLS", GatewayUrl("gateway.corp.example", 8443, "/IPTLS")),
        ("https://[2001:db8::1]/x", GatewayUrl("2001:db8::1", 443, "/x")),
    ],
)
def test_gateways(url: str, gateway: GatewayUrl) -> None:
    assert GatewayUrl.parse(url) == gateway


@pytest.mark.parametrize(
    "url", ["", "gateway", "http://gateway", "https://", "https://x:port/", "https://[::1"]
)
def test_what_is_no_gateway(url: str) -> None:
    with pytest.raises(BadArgument) as caught:
        GatewayUrl.parse(url)
    assert "https://gateway.example.com/IPHTTPS" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy:3128", Proxy("proxy", 3128, None)),
        ("proxy:3128", Proxy("proxy", 3128, None)),
        ("http://us%40er:pass%3Aword@proxy", Proxy("proxy", 8080, ("us@er", "pass:word"))),
    ],
)
def test_proxies(url: str, proxy: Proxy) -> None:
    assert Proxy.parse(url) == proxy


def test_only_http_proxies() -> None:
    with pytest.raises(BadArgument, match="is no http URL"):
        Proxy.parse("socks5://proxy")


@pytest.mark.parametrize("text", ["foo", "foo:", "http", "foo/bar:80"])
def test_a_word_is_no_proxy(text: str) -> None:
    with pytest.raises(BadArgument, match="has no port") as caught:
        Proxy.parse(text)
    assert "http://proxy.example.com:8080" in caught.value.hint


def test_a_closed_port_is_called_refused() -> None:
    """What the kernel said, and not asyncio's words for every fault."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and no listen
        gateway = GatewayUrl("127.0.0.1", taken.getsockname()[1], "/IPHTTPS")
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1: Connection refused"):
            asyncio.run(Dialer(gateway, None).dial(ssl.create_default_context(), 2.0, 2.0))


@pytest.mark.parametrize("later", range(8))
def test_a_connection_that_is_reset_at_once_is_a_failed_attempt(later: int) -> None:
    """Whatever the client is about in that moment: a firewall or proxy that accepts, and then thinks better of it."""

    async def dial() -> None:
        loop = asyncio.get_running_loop()

        def reset(sock: socket.socket, turns: int) -> None:
            if turns:
                loop.call_soon(reset, sock, turns - 1)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            loop.add_reader(listener, lambda: reset(listener.accept()[0], later))
            gateway = GatewayUrl("127.0.0.1", listener.getsockname()[1], "/IPHTTPS")
            try:
                with pytest.raises(ConnectError, match="Connection reset by peer"):
                    await Dialer(gateway, None).dial(ssl.create_default_context(), 2.0, 2.0)
            finally:
                loop.remove_reader(listener)

    asyncio.run(dial())
