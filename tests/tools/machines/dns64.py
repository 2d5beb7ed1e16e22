"""A DNS64 between clients and servers that a test plays: ask, answer, look at what comes out. Coded by dnspython."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from manageout.protocol.dns.dns64 import Dns64, Dns64Config
from manageout.protocol.dns.forwarder import Ask, Forget, Reply
from manageout.protocol.dns.prefixes import Prefixes
from manageout.wire import dns as wire

NAT64 = IPv6Network("2001:db8:64::/96")
ANYTHING = (IPv4Network("0.0.0.0/0"),)
MAPPED = IPv6Network("::ffff:0:0/96")
SOA = "corp.example. {ttl} IN SOA ns.corp.example. admin.corp.example. 1 3600 600 86400 {minimum}"


def config(
    prefixes: Sequence[tuple[IPv6Network, Sequence[IPv4Network]]] = ((NAT64, ANYTHING),),
    servers: Sequence[str] = ("10.0.0.10",),
    excluded: Sequence[IPv6Network] = (MAPPED,),
    domains: Sequence[str] = (),
    blocked: Sequence[str] = (),
    cache_size: int = 100,
    serve_stale: float = 0.0,
) -> Dns64Config:
    return Dns64Config(
        tuple(servers),
        Prefixes(prefixes, excluded),
        tuple(map(wire.to_wire, domains)),
        tuple(map(wire.to_wire, blocked)),
        cache_size,
        serve_stale,
    )


class World:
    """The machine, its orders and a clock."""

    def __init__(self, settings: Dns64Config | None = None) -> None:
        self.machine = Dns64(settings or config(), random.Random(7).random, self.whose)
        self.owners: dict[object, str] = {}
        """Address of a client over UDP -> whose it is."""
        self.now = 100.0
        self.asked: list[Ask] = []
        """Questions to servers that are open."""
        self.replies: list[tuple[object, dns.message.Message]] = []
        self.raw: list[bytes] = []
        self._collect()

    def ask(
        self,
        name: str,
        kind: str = "AAAA",
        *,
        client: object = "laptop",
        tcp: bool = False,
        excluded: bool = False,
        **options: object,
    ) -> dns.message.Message:
        """A client's question; the query as sent."""
        query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
        self.send(query.to_wire(), client=client, tcp=tcp, excluded=excluded)
        return query

    def send(
        self, message: bytes, *, client: object = "laptop", tcp: bool = False, excluded: bool = False
    ) -> None:
        quick = None if tcp or excluded else self.machine.quick(message, self.now)
        if quick is not None:
            self._note(client, quick)
        else:
            self.machine.receive(message, client, self.now, tcp=tcp, excluded=excluded)
            self._collect()

    def whose(self, client: object) -> str:
        address = client[0] if isinstance(client, tuple) else client
        return self.owners.get(address, str(address))

    @property
    def question(self) -> tuple[str, str]:
        """What the one open exchange is about."""
        (ask,) = self.asked
        question = dns.message.from_wire(ask.message).question[0]
        return question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)

    @property
    def checking_disabled(self) -> bool:
        """Whether the one open exchange asks for what does not validate, too."""
        (ask,) = self.asked
        return bool(dns.message.from_wire(ask.message).flags & dns.flags.CD)

    def answer(
        self,
        *answers: str,
        rcode: str = "NOERROR",
        authority: Sequence[str] = (),
        additional: Sequence[str] = (),
        flags: int = 0,
    ) -> None:
        """The server answers the one open exchange; records as text."""
        (ask,) = self.asked
        self.deliver(
            ask,
            self.response(
                ask, *answers, rcode=rcode, authority=authority, additional=additional, flags=flags
            ),
        )

    def response(
        self,
        ask: Ask,
        *answers: str,
        rcode: str = "NOERROR",
        authority: Sequence[str] = (),
        additional: Sequence[str] = (),
        flags: int = 0,
    ) -> bytes:
        """What a server would answer to ``ask``."""
        message = dns.message.make_response(dns.message.from_wire(ask.message), recursion_available=True)
        message.flags |= flags
        message.set_rcode(dns.rcode.from_text(rcode))
        for section, lines in (
            (message.answer, answers),
            (message.authority, authority),
            (message.additional, additional),
        ):
            section.extend(map(record, lines))
        return message.to_wire(max_size=65535)

    def deliver(self, ask: Ask, message: bytes) -> None:
        """``message`` arrives on the socket of ``ask``."""
        self.machine.answered(ask.number, message, self.now)
        self._collect()

    def fail(self) -> None:
        """The server's machine says that nobody listens."""
        self.machine.failed(self.asked[0].number, self.now)
        self._collect()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.machine.on_timer(self.now)
        self._collect()

    def silence(self) -> None:
        """No server answers until every try is over."""
        while (due := self.machine.timer()) is not None:
            self.pass_time(due - self.now)

    @property
    def silent(self) -> list[str]:
        """Servers that come last at the moment."""
        return self.machine.silent(self.machine.config.servers, self.now)

    @property
    def reply(self) -> dns.message.Message:
        """The one answer that a client has got since the last time."""
        ((_, message),) = self.replies
        self.replies = []
        return message

    def resolve(
        self, name: str, *a: str, aaaa: Sequence[str] = (), soa: tuple[int, int] = (300, 300)
    ) -> dns.message.Message:
        """A whole resolution: AAAA, and then A if that is asked."""
        self.ask(name)
        self.answer(*aaaa, authority=[] if aaaa else [SOA.format(ttl=soa[0], minimum=soa[1])])
        if self.asked:
            self.answer(*a)
        return self.reply

    def _collect(self) -> None:
        while orders := self.machine.transmit():
            for order in orders:
                match order:
                    case Ask():
                        self.asked.append(order)
                    case Forget():
                        self.asked = [ask for ask in self.asked if ask.number != order.number]
                    case Reply():
                        self._note(order.client, order.message)

    def _note(self, client: object, message: bytes) -> None:
        self.raw.append(message)
        self.replies.append((client, dns.message.from_wire(message)))


def record(line: str) -> dns.rrset.RRset:
    """``NAME TTL TYPE DATA``, or with the class IN, as a set of one record."""
    name, ttl, *rest = line.split(maxsplit=2)
    kind, data = rest[0].removeprefix("IN ").split(maxsplit=1)
    return dns.rrset.from_text(dns.name.from_text(name), int(ttl), "IN", kind, data)


def values(message: dns.message.Message, kind: str = "AAAA") -> list[str]:
    """The data of the answer records of a type."""
    wanted = dns.rdatatype.from_text(kind)
    return [item.to_text() for rrset in message.answer if rrset.rdtype == wanted for item in rrset]


def rcode(message: dns.message.Message) -> str:
    return dns.rcode.to_text(message.rcode())


def signature(kind: str) -> str:
    """The data of an RRSIG record over records of a type, well formed and no more."""
    return f"{kind} 13 3 60 20300101000000 20200101000000 1 corp.example. c2lnbmF0dXJl"
