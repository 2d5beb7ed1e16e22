"""DNS servers that do wrong, on real sockets: each is an address and a function from a query to what is sent back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import dns.message
import dns.rcode
import dns.rrset

from manageout.linux.host import netns
from tests.tools.places.dns64 import NAME

Behaviour = Callable[[dns.message.Message], Iterable[bytes]]


class Liar:
    """What it was asked; over UDP by :attr:`behaviour`, over TCP by :attr:`over_tcp` (None: refused)."""

    def __init__(self, address: str, behaviour: Behaviour, over_tcp: Behaviour | None) -> None:
        self.behaviour, self.over_tcp = behaviour, over_tcp
        self.asked: list[str] = []
        self.ports: set[int] = set()
        self.ids: list[int] = []
        with netns.inside(NAME):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._elsewhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, 53))
        self._elsewhere.bind((address, 0))
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if over_tcp is not None:
            self._tcp.bind((address, 53))
            self._tcp.listen(16)
        served = [self._serve_udp] + ([self._serve_tcp] if over_tcp is not None else [])
        self._threads = [threading.Thread(target=serve, daemon=True) for serve in served]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop, and let go of the address."""
        self._elsewhere.sendto(b"", self._udp.getsockname())
        with suppress(OSError):
            self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._udp, self._tcp, self._elsewhere):
            sock.close()

    def from_elsewhere(self, message: bytes, place: tuple[str, int]) -> None:
        """Send from another port."""
        self._elsewhere.sendto(message, place)

    def _note(self, query: dns.message.Message) -> None:
        question = query.question[0]
        self.asked.append(f"{question.name.to_text(True)} {dns.rdatatype.to_text(question.rdtype)}")
        self.ids.append(query.id)

    def _serve_udp(self) -> None:
        while True:
            try:
                data, place = self._udp.recvfrom(65535)
            except OSError:
                return
            if not data:
                return
            query = dns.message.from_wire(data)
            self._note(query)
            self.ports.add(place[1])
            self.place = place
            for answer in self.behaviour(query):
                self._udp.sendto(answer, place)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection:
                size = connection.recv(2, socket.MSG_WAITALL)
                query = dns.message.from_wire(
                    connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
                )
                self._note(query)
                for answer in self.over_tcp(query) if self.over_tcp else ():
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)


@contextmanager
def liar(address: str, behaviour: Behaviour, over_tcp: Behaviour | None = None) -> Iterator[Liar]:
    """One at ``address``."""
    made = Liar(address, behaviour, over_tcp)
    try:
        yield made
    finally:
        made.close()


# --- Behaviours -----------------------------------------------------------------------------------------


def silent(_: dns.message.Message) -> list[bytes]:
    """Says nothing."""
    return []


def says(rcode: str) -> Behaviour:
    """An error to everything."""

    def behaviour(query: dns.message.Message) -> list[bytes]:
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.from_text(rcode))
        return [answer.to_wire()]

    return behaviour


def truth(query: dns.message.Message, address: str = "10.0.0.20") -> dns.message.Message:
    """A records for every name and nothing else."""
    answer = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    if question.rdtype == dns.rdatatype.A:
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", address))
    else:
        soa = f"ns.{question.name} admin.{question.name} 1 3600 600 86400 60"
        answer.authority.append(dns.rrset.from_text(question.name, 60, "IN", "SOA", soa))
    return answer


def honest(query: dns.message.Message) -> list[bytes]:
    """The truth."""
    return [truth(query).to_wire()]


def truncated(query: dns.message.Message) -> list[bytes]:
    """Nothing but that there is more."""
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.TC
    return [answer.to_wire()]


def lie(query: dns.message.Message) -> dns.message.Message:
    """Another address."""
    return truth(query, "10.6.6.6")


def wrong_id(query: dns.message.Message) -> list[bytes]:
    """A lie with another number."""
    answer = lie(query)
    answer.id ^= 1
    return [answer.to_wire()]


def wrong_question(query: dns.message.Message) -> list[bytes]:
    """A lie about another name."""
    other = dns.message.make_query("other.corp.example", query.question[0].rdtype)
    other.id = query.id
    return [lie(other).to_wire()]


def query_again(query: dns.message.Message) -> list[bytes]:
    """The query itself: no answer."""
    return [query.to_wire()]


def garbage(query: dns.message.Message) -> list[bytes]:
    """The right number, then noise."""
    return [query.id.to_bytes(2, "big") + b"\xff" * 40, query.id.to_bytes(2, "big"), b""]


def cut_short(query: dns.message.Message) -> list[bytes]:
    """A record that goes beyond the end."""
    return [lie(query).to_wire()[:-3]]


def loop(query: dns.message.Message) -> list[bytes]:
    """An alias whose name points at itself."""
    wire = dns.message.make_response(query).to_wire()
    end = len(wire) - (11 if query.edns >= 0 else 0)
    record = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2" + (0xC000 | end + 12).to_bytes(2, "big")
    return [wire[:6] + b"\0\1\0\0\0\0" + wire[12:end] + record]
