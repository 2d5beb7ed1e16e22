"""The network-location probe, against real TLS servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from manageout.errors import BadArgument, PkiError
from manageout.service.resolver import location
from manageout.service.resolver.location import Location, LocationUrl, probe, watch
from manageout.service.tls import contexts as tls
from manageout.service.tls.pki import Authority

Context = Callable[[], ssl.SSLContext]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("pki"), "Test CA")


@pytest.fixture
def context(authority: Authority) -> Context:
    return partial(tls.client_context, authority.certificate_path, None, None)


@asynccontextmanager
async def serving(authority: Authority, answer: bytes | None, name: str = "localhost") -> AsyncIterator[int]:
    """A server on loopback whose certificate is for ``name``; with None it never answers. Gives its port."""
    path = authority.directory / f"{name}.pem"
    if not path.exists():
        authority.issue(name, server=True)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(path, path.with_suffix(".key"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
            assert asked.startswith(b"GET /where?x=1 HTTP/1.1\r\nHost: localhost:")
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=settings)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, context: Context, own: tuple[str, ...] = ()) -> Location:
    return await probe(LocationUrl("localhost", port, "/where?x=1"), context, lambda: own)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nbody", Location(True, "localhost answers")),
        (b"HTTP/1.0 200 OK\r\n\r\n", Location(True, "localhost answers")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Location(False, "localhost answers 204")),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Location(False, "localhost answers 404")),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://portal/\r\n\r\n",
            Location(False, "localhost answers 302: redirects are not followed"),
        ),
        (b"", Location(False, "localhost: no HTTP answer")),
        (b"HTTP/1.1 200 OK\r\n", Location(False, "localhost: no HTTP answer")),
        (b"SSH-2.0\r\n\r\n", Location(False, "localhost: no HTTP answer")),
        (b"GET / HTTP/1.1\r\n\r\n", Location(False, "localhost: no HTTP answer")),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, Location(False, "localhost: no HTTP answer")),
    ],
)
def test_only_200_is_inside(authority: Authority, context: Context, answer: bytes, wanted: Location) -> None:
    async def run() -> Location:
        async with serving(authority, answer) as port:
            return await ask(port, context)

    assert asyncio.run(run()) == wanted


def test_a_certificate_for_another_name_or_of_a_stranger(authority: Authority, context: Context) -> None:
    async def run(settings: Context, name: str) -> Location:
        async with serving(authority, b"HTTP/1.1 200 OK\r\n\r\n", name) as port:
            return await ask(port, settings)

    other = asyncio.run(run(context, "portal.example"))
    assert other == Location(False, "localhost: its certificate: made for another name")
    stranger = asyncio.run(run(ssl.create_default_context, "localhost"))
    assert not stranger.inside and "certificate" in stranger.reason


def test_through_our_own_tunnel_says_nothing(authority: Authority, context: Context) -> None:
    async def run() -> Location:
        async with serving(authority, b"HTTP/1.1 200 OK\r\n\r\n") as port:
            return await ask(port, context, ("127.0.0.1",))

    assert asyncio.run(run()) == Location(False, "localhost is reached through the tunnel")


def test_silence_ends(authority: Authority, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "TIMEOUT", 0.3)

    async def run() -> Location:
        async with serving(authority, None) as port:
            return await ask(port, context)

    assert asyncio.run(run()) == Location(False, "localhost does not answer")


def test_nobody_there(context: Context) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and no listen
        found = asyncio.run(ask(taken.getsockname()[1], context))
    assert not found.inside and found.reason.startswith("localhost: ")


def test_no_such_name(context: Context) -> None:
    found = asyncio.run(probe(LocationUrl("nls..example", 443, "/"), context, tuple))
    assert found == Location(False, "nls..example has no address here")


def test_watching_asks_again_when_the_network_changes(
    authority: Authority, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location, "PROBES_AFTER_CHANGE", (0.0,))

    async def run() -> list[bool]:
        moved, verdicts = asyncio.Event(), []
        async with serving(authority, b"HTTP/1.1 200 OK\r\n\r\n") as port:
            url = LocationUrl("localhost", port, "/where?x=1")
            watching = watch(url, context, tuple, moved)
            verdicts += [(await anext(watching)).inside, (await anext(watching)).inside]
        moved.set()
        verdicts.append((await anext(watching)).inside)
        assert not moved.is_set()
        await watching.aclose()  # type: ignore[attr-defined]
        return verdicts

    assert asyncio.run(run()) == [True, True, False]


def test_authorities_that_cannot_be_read_mean_outside(tmp_path: Path) -> None:
    broken = partial(tls.client_context, tmp_path / "none.pem", None, None)

    async def run() -> Location:
        return await anext(watch(LocationUrl("localhost", 1, "/"), broken, tuple, asyncio.Event()))

    assert "none.pem" in asyncio.run(run()).reason
    with pytest.raises(PkiError):
        asyncio.run(ask(1, broken))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://nls.corp.example", LocationUrl("nls.corp.example", 443, "/")),
        ("https://NLS.corp.example:8443/a/b?c=d#e", LocationUrl("nls.corp.example", 8443, "/a/b?c=d")),
        ("https://[fd12::1]/x", LocationUrl("fd12::1", 443, "/x")),
    ],
)
def test_urls(url: str, wanted: LocationUrl) -> None:
    assert LocationUrl.parse(url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nls",
        "http://nls",
        "https://",
        "https://x:port/",
        "https://[::1",
        "https://x/\r\nHost: y",
        "https://x/ y",
    ],
)
def test_what_is_no_location(url: str) -> None:
    with pytest.raises(BadArgument, match="is no https URL"):
        LocationUrl.parse(url)
