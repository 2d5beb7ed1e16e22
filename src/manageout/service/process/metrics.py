"""``/metrics`` for Prometheus, on a loopback address or a Unix socket, and nowhere else.

Nothing is counted here: the collector asks the roles at the moment of the scrape, so the data path has no
metric calls. The HTTP server is ours because prometheus-client's runs in a thread, where reading the state of
the event loop would be a race.

What each figure is stands in ``metrics.toml``.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, Self

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from manageout.errors import HeadError, ManageoutError, NotPermitted
from manageout.wire.host_port import HostPort
from manageout.wire.iphttps import HeadParser, RequestHead
from manageout.words import toml_of

TIMEOUT = 10.0
log = logging.getLogger(__name__)


class Metric(NamedTuple):
    """One figure of a role. ``name`` is without the prefix ``manageout_`` and without ``_total``."""

    name: str
    samples: float | Iterable[tuple[Mapping[str, str], float]]
    """The number; or labels and the number, for example ``[({"reason": "loop"}, 3)]``."""

    def labelled(self) -> Iterable[tuple[Mapping[str, str], float]]:
        """Labels and the number of each sample."""
        return [({}, self.samples)] if isinstance(self.samples, int | float) else self.samples


_FAMILIES = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class _RoleCollector(Collector):
    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read
        # Not at the first scrape: an upgrade may replace the file while we run.
        self._kinds = toml_of("manageout.service.process", "metrics.toml")

    def collect(self) -> Iterator[Family]:
        """What every role says now; the same name from two roles becomes one family."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for metric in self._read():
            name = f"manageout_{metric.name}"
            for labels, value in metric.labelled():
                family = families.get(name)
                if family is None:
                    kind = next(kind for kind, names in self._kinds.items() if metric.name in names)
                    text = self._kinds[kind][metric.name]
                    family = families[name] = _FAMILIES[kind](name, text, labels=list(labels))
                family.add_metric([str(text) for text in labels.values()], value)
        yield from families.values()

    def describe(self) -> Iterable[Family]:
        """Nothing in advance: the roles know only at scrape time."""
        return ()


class MetricsServer:
    """Serves ``read()`` at ``where``: "ADDRESS:PORT" on loopback, "unix:/path", or "off".

    An asynchronous context manager. Raises :class:`ManageoutError` when the place is taken or not loopback.
    """

    def __init__(self, where: str, read: Callable[[], Iterable[Metric]]) -> None:
        self.where = where
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_RoleCollector(read))
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self.where == "off":
            return self
        listener = _listen(self.where)
        if listener.family == socket.AF_UNIX:
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=8192)
        else:
            self._server = await asyncio.start_server(self._serve, sock=listener, limit=8192)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()
        if self.where.startswith("unix:"):
            with contextlib.suppress(OSError):
                os.unlink(self.where.removeprefix("unix:"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(head))
            async with asyncio.timeout(TIMEOUT):
                await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _answer(self, data: bytes) -> bytes:
        parser = HeadParser()
        try:
            parser.feed(data)
        except HeadError as error:
            return _response(error.status, "text/plain", error.message.encode())
        head = parser.head
        if not isinstance(head, RequestHead) or head.method not in ("GET", "HEAD"):
            return _response(405, "text/plain", b"GET only\n")
        if head.path.partition("?")[0] != "/metrics":
            return _response(404, "text/plain", b"the figures are at /metrics\n")
        encode, content_type = choose_encoder(head.headers.get("accept", ""))
        try:
            body = encode(self._registry)
        except Exception:
            log.exception("metrics could not be collected")
            return _response(500, "text/plain", b"see the daemon's log\n")
        return _response(200, content_type, body, with_body=head.method == "GET")


def _response(status: int, content_type: str, body: bytes, with_body: bool = True) -> bytes:
    phrase = HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + (body if with_body else b"")


def _listen(where: str) -> socket.socket:
    hint = 'set daemon.metrics to a free "127.0.0.1:PORT", to "unix:/path", or to "off"'
    try:
        if where.startswith("unix:"):
            return _listen_unix(Path(where.removeprefix("unix:")))
        address, port = HostPort.parse(where)
        if not address.is_loopback:
            raise ManageoutError(f"metrics address {where} is not loopback", hint)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        return socket.create_server((str(address), port), family=family)
    except PermissionError:
        raise NotPermitted(f"metrics address {where}: not permitted", hint) from None
    except OSError as error:
        # Not strerror: create_server() writes more than the kernel said.
        words = os.strerror(error.errno) if error.errno else "cannot be used"
        raise ManageoutError(f"metrics address {where}: {words}", hint) from None


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            try:
                probe.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                path.unlink(missing_ok=True)  # left behind by a killed process
            else:
                raise FileExistsError(17, os.strerror(17))
        listener.bind(str(path))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
