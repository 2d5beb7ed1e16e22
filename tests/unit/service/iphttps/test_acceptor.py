"""The acceptor with real sockets: what happens in which thread, and what may change in between."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.protocol.core.drops import Drop
from manageout.service.iphttps import acceptor as iphttps_acceptor
from manageout.service.iphttps.acceptor import Acceptor
from manageout.service.iphttps.connection import Connection
from manageout.service.iphttps.trust import PeerCertificate, Refusal, Trust
from manageout.service.process.loops import loop_factory
from manageout.service.tls.pki import Authority
from manageout.site.tables.site import GatewayTable, IpHttpsTable

PATIENCE = 20


class Judge(Trust):
    """Notes which thread judges, and lets something happen right after it."""

    thread = ""
    then: Callable[[], None] = staticmethod(lambda: None)

    def meet(self, tls_object: ssl.SSLObject) -> PeerCertificate | Refusal | None:
        self.thread = threading.current_thread().name
        found = super().meet(tls_object)
        self.then()
        return found


class Place:
    """An acceptor on a port of its own, and a client in another thread."""

    def __init__(self, authority: Authority, **limits: float) -> None:
        self.authority = authority
        self.judge = self.trust()
        self.taken: asyncio.Queue[Connection] = asyncio.Queue()
        self.thread = ""
        table = IpHttpsTable.model_validate(limits)
        self.acceptor = Acceptor(self.judge, table, self._ready, lambda number: None)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.acceptor.listen([f"127.0.0.1:{self.port}"])
        self._clients = ThreadPoolExecutor(2)

    def trust(self, **more: object) -> Judge:
        place = self.authority.directory
        table: dict[str, object] = {
            "certificate": place / "gateway.pem",
            "key": place / "gateway.key",
            "client_ca": self.authority.certificate_path,
        }
        return Judge(GatewayTable.model_validate(table | more))

    def _ready(self, connection: Connection) -> None:
        self.thread = threading.current_thread().name
        self.taken.put_nowait(connection)

    def _connect(self) -> bool:
        place = self.authority.directory
        context = ssl.create_default_context(cafile=str(self.authority.certificate_path))
        context.load_cert_chain(place / "laptop.pem", place / "laptop.key")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as tcp:
            tcp.settimeout(PATIENCE)
            with context.wrap_socket(tcp, server_hostname="gateway") as tls:
                return bool(tls.recv(100))
        return False

    def connect(self) -> asyncio.Future[bool]:
        """Whether the client hears anything behind the handshake, in the end."""
        return asyncio.get_running_loop().run_in_executor(self._clients, self._connect)

    def begin(self) -> asyncio.Future[bytes]:
        """What a client hears who says one byte of TLS and no more."""

        def wait() -> bytes:
            with socket.create_connection(("127.0.0.1", self.port)) as tcp:
                tcp.settimeout(PATIENCE)
                tcp.sendall(b"\x16")
                return tcp.recv(100)

        return asyncio.get_running_loop().run_in_executor(self._clients, wait)

    def end(self) -> None:
        self.acceptor.stop()
        self._clients.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority.create(tmp_path_factory.mktemp("pki"), "CA")
    authority.issue("gateway", server=True)
    authority.issue("laptop", server=False)
    return authority


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        yield runner


def test_handshakes_are_had_in_a_thread_and_clients_handed_to_the_loop(
    authority: Authority, runner: asyncio.Runner
) -> None:
    async def main() -> None:
        place = Place(authority)
        client = place.connect()
        connection = await asyncio.wait_for(place.taken.get(), PATIENCE)
        assert place.judge.thread == "iphttps-accept"
        assert place.thread == threading.main_thread().name
        assert connection.certificate and connection.certificate.identity == "laptop"
        connection.stream.send([b"hello"])
        assert await client
        connection.stream.close()
        place.acceptor.left(connection)
        place.end()
        assert place.acceptor.admission.total == 0

    runner.run(main())


def test_places_come_back_at_once_when_the_rest_of_a_reload_fails(
    authority: Authority, runner: asyncio.Runner
) -> None:
    async def main() -> None:
        place = Place(authority)
        before = place.acceptor.listeners
        with socket.create_server(("127.0.0.1", 0)) as free:
            other = f"127.0.0.1:{free.getsockname()[1]}"
        for wanted in ([other], before, [], before, [other, *before], before):
            place.acceptor.listen(wanted)
            assert sorted(place.acceptor.listeners) == sorted(wanted)
        client = place.connect()
        connection = await asyncio.wait_for(place.taken.get(), PATIENCE)
        connection.stream.close()
        await client
        place.acceptor.left(connection)
        place.end()

    runner.run(main())


def test_who_was_let_in_by_rules_that_have_changed_is_judged_again(
    authority: Authority, runner: asyncio.Runner
) -> None:
    async def main() -> None:
        place = Place(authority)
        stricter = place.trust(allow=("nobody",))

        def replace() -> None:
            place.acceptor.trust = stricter

        place.judge.then = replace
        assert not await place.connect()
        assert place.acceptor.refused.totals == {Drop.CERTIFICATE_UNLISTED: 1}
        assert place.taken.empty()
        place.end()

    runner.run(main())


def test_who_showed_a_certificate_of_an_authority_that_has_gone_has_to_show_another(
    authority: Authority, runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def main() -> None:
        place = Place(authority)
        other = place.trust(client_ca=Authority.create(tmp_path, "Other").certificate_path)

        def replace() -> None:
            place.acceptor.trust = other

        place.judge.then = replace
        assert not await place.connect()
        assert place.acceptor.refused.totals == {Drop.CERTIFICATE_INVALID: 1}
        place.end()

    runner.run(main())


def test_nobody_is_handed_over_after_the_end(authority: Authority, runner: asyncio.Runner) -> None:
    async def main() -> None:
        place = Place(authority)
        judged = threading.Event()
        place.judge.then = judged.set
        client = place.connect()
        judged.wait(PATIENCE)  # the loop has not heard of it yet: it stands still here
        place.acceptor.stop()
        assert not await client
        assert place.taken.empty()
        place.end()

    runner.run(main())


def test_slow_handshakes_are_not_waited_for_when_half_of_the_places_are_taken(
    authority: Authority, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iphttps_acceptor, "PRESSED_TIMEOUT", 0.1)

    async def main() -> None:
        place = Place(authority, max_handshakes=3, handshake_timeout=1000)
        assert b"" in await asyncio.gather(place.begin(), place.begin(), return_exceptions=True)
        assert place.acceptor.refused.totals[Drop.HANDSHAKE_TIMEOUT]
        place.end()

    runner.run(main())


def test_a_fault_of_ours_ends_the_connection_and_nothing_else(
    authority: Authority, runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def fault() -> None:
        raise LookupError

    async def main() -> None:
        place = Place(authority)
        place.judge.then = fault
        assert not await place.connect()
        place.judge.then = lambda: None
        client = place.connect()
        connection = await asyncio.wait_for(place.taken.get(), PATIENCE)
        connection.stream.close()
        assert not await client
        place.end()

    runner.run(main())
    assert caplog.messages == ["client 127.0.0.1 refused: internal error: LookupError"]


def test_who_cannot_even_begin_holds_no_place(
    authority: Authority, runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        place = Place(authority, max_per_source=1)
        context = place.judge.context
        place.judge.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # serves nobody
        assert not await place.connect()
        assert (place.acceptor.admission.total, place.acceptor.admission.handshakes) == (0, 0)
        place.judge.context = context
        client = place.connect()
        connection = await asyncio.wait_for(place.taken.get(), PATIENCE)
        connection.stream.close()
        assert not await client
        assert place.acceptor.refused.totals == {Drop.TLS_FAILED: 1}
        place.end()

    runner.run(main())
    (line,) = caplog.messages
    assert line.startswith("client 127.0.0.1 refused: TLS cannot begin: ")


def test_a_thread_that_stands_still_ends_the_service(
    authority: Authority, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        place = Place(authority)
        place.acceptor.look()
        monkeypatch.setattr(iphttps_acceptor, "SILENT", -1.0)
        with pytest.raises(ManageoutError, match="stands still"):
            place.acceptor.look()
        place.end()

    runner.run(main())
