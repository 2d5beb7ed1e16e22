"""Dynamic updates (RFC 2136) that never touch a record of somebody else, signed by TSIG or GSS-TSIG.

A name of ours holds, beside its records, a TXT record with our mark, in which the site and the client stand. Every
update says in its prerequisites that the mark is there, or that the name is not in use at all, and the server judges
that in the same step (RFC 2136 3.2): so neither a machine nor another client of the site, at whichever gateway, loses
its name. Only the client that is called exactly like the name takes it from another client.
"""

import hashlib
import re
import socket
import struct
import time
from ipaddress import IPv6Address, IPv6Network
from typing import Protocol

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.update

from manageout.directory.dns.answer import UpdateAnswer, read_answer
from manageout.directory.dns.zones import Place, Server, Unreachable, Zones
from manageout.errors import ManageoutError
from manageout.protocol.names.registrar import NOTHING, Outcome, Problem, Records, Task
from manageout.words import said, texts, toml_of

TIMEOUT = 5.0
_ANYWHERE = IPv6Network("::/0")
_TYPES = ("A", "AAAA", "PTR")
_ADDRESSES = ("A", "AAAA")
_OTHERWISE = (dns.rcode.YXDOMAIN, dns.rcode.YXRRSET)


class Signer(Protocol):
    """Signs updates; ``None`` in its place sends them unsigned."""

    def sign(self, update: dns.message.Message, place: Place) -> None:
        """Prepare ``update`` for the server of ``place``. Raises :class:`SignerError`."""

    def reset(self) -> None:
        """The server knows the key no longer."""


class SignerError(ManageoutError):
    """Nothing can be signed now: no ticket, no key. ``code``: of the finding."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class Updater:
    """Carries out tasks, one at a time; blocks. ``mark``: with what the texts of our TXT records begin. ``ours``: where
    this gateway's clients have their addresses."""

    def __init__(
        self, zones: Zones, signer: Signer | None, mark: str, ttl: int, ours: IPv6Network = _ANYWHERE
    ) -> None:
        self._zones, self._signer, self._mark, self._ttl, self._ours = zones, signer, mark, ttl, ours

    def perform(self, task: Task) -> tuple[Outcome, Problem | None]:
        """Make the server's records as wanted; what became of it."""
        try:
            place = self._zones.place(task.name)
            if place is None:
                if task.name.endswith(".arpa"):
                    return Outcome.NO_ZONE, None
                return Outcome.FAILED, Problem("DNS-NO-ZONE", f"no server here holds a zone for {task.name}")
            if task.look:
                return self._look(task, place)
            return self._remove(task, place) if not task.wanted else self._set(task, place)
        except SignerError as error:
            return Outcome.FAILED, Problem(error.code, error.message)
        except Unreachable as error:
            return Outcome.FAILED, Problem("DNS-UNREACHABLE", error.message)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            self._zones.forget()
            outcome = Outcome.FAILED if isinstance(error, ConnectionRefusedError) else Outcome.DOUBTFUL
            return outcome, Problem("DNS-UNREACHABLE", f"{task.name}: {said(error)}")

    def _look(self, task: Task, place: Place) -> tuple[Outcome, Problem | None]:
        """Whether it stands there as wanted; if not, once more. A server that does not say is told again."""
        there: dict[str, list[str]] = {}
        for kind in ("TXT", *_kinds(task.wanted)):
            texts = texts_of(task.name, kind, place)
            if texts is None:
                return self._set(task, place)
            there[kind] = texts
        mine = _quoted(self.mark(task.owner)) in there["TXT"]
        stands = (
            dns.rdata.from_text("IN", kind, text).to_text() in there[kind] for kind, text in task.wanted
        )
        if mine and all(stands):
            return Outcome.DONE, None
        if mine and not all(IPv6Address(text) in self._ours for text in there.get("AAAA", ())):
            words = f"the client of {task.name} is connected to another gateway too, and has the addresses of that"
            return Outcome.ELSEWHERE, Problem("NAME-TWICE", words)
        outcome, problem = self._set(task, place)
        return Outcome.RESTORED if outcome is Outcome.DONE else outcome, problem

    def mark(self, owner: str) -> str:
        """The text of the TXT record. The client is in it as a hash: its certificate's name may be nobody's business,
        and need not fit a record."""
        if not owner:
            return self._mark
        digest = hashlib.sha256(f"{self._mark} {owner}".encode()).hexdigest()
        return f"{self._mark} client {digest[:32]}"

    def _set(self, task: Task, place: Place) -> tuple[Outcome, Problem | None]:
        """Where our mark is: replace. Where nothing is: add. Else it is somebody's."""
        update, name = self._marked(task, place, self.mark(task.owner))
        self._replace(update, name, task)
        answer = exchange(update, place, self._signer)
        if answer.rcode == dns.rcode.NXRRSET:
            update = dns.update.UpdateMessage(place.zone)
            update.absent(name)
            update.add(name, self._ttl, "TXT", _quoted(self.mark(task.owner)))
            self._replace(update, name, task)
            answer = exchange(update, place, self._signer)
        if answer.rcode in _OTHERWISE:
            return self._take_over(task, place)
        return self._judge(answer, task, place)

    def _take_over(self, task: Task, place: Place) -> tuple[Outcome, Problem | None]:
        """From another client of the site, if it is not called so and ours is; and from ourselves as we were before
        marks named clients, if exactly what we know of stands there."""
        found = self._mark_there(task, place)
        exact = task.owner == task.name
        if found is None:
            words = f"{task.name} has records that are not ours: they stay as they are"
            return Outcome.TAKEN, Problem("NAME-TAKEN", words)
        if exact or (found == self._mark and task.known):
            update, name = self._marked(task, place, found)
            if not exact:
                _exactly(update, name, task)
            for kind in _ADDRESSES:
                update.delete(name, kind)
            update.delete(name, "TXT", _quoted(found))
            update.add(name, self._ttl, "TXT", _quoted(self.mark(task.owner)))
            self._replace(update, name, task)
            answer = exchange(update, place, self._signer)
            if answer.rcode not in (dns.rcode.NXRRSET, *_OTHERWISE):
                return self._judge(answer, task, place)
        words = f"{task.name} is the name of another client of this site"
        owned = not exact and found == self.mark(task.name)
        return Outcome.OWNED if owned else Outcome.TAKEN, Problem("NAME-TWICE", words)

    def _mark_there(self, task: Task, place: Place) -> str | None:
        """The mark of another client of our site, or one of before they were named; None: it is not our site's."""
        if not task.owner:
            return None
        texts = texts_of(task.name, "TXT", place)
        found = texts[0].strip('"') if texts and len(texts) == 1 else ""
        client = re.fullmatch(re.escape(self._mark) + r"( client [0-9a-f]{32})?", found)
        return found if client else None

    def _remove(self, task: Task, place: Place) -> tuple[Outcome, Problem | None]:
        """Only if our mark is there, and only the records that we have put there: another gateway of this site may
        have registered the client meanwhile."""
        result: tuple[Outcome, Problem | None] = Outcome.DONE, None
        if task.known == NOTHING:
            return result
        # Or as it was before clients were named.
        for mark in dict.fromkeys((self.mark(task.owner), self._mark)):
            # Everything at once, if exactly what we know of stands there.
            update, name = self._marked(task, place, mark)
            _exactly(update, name, task)
            for kind in _kinds(task.known):
                update.delete(name, kind)
            update.delete(name, "TXT", _quoted(mark))
            answer = exchange(update, place, self._signer)
            if answer.rcode not in (dns.rcode.NXRRSET, dns.rcode.YXRRSET):
                return self._judge(answer, task, place)
            result = self._remove_in_steps(task, place, mark)
            if result[0] is not Outcome.DONE:
                break
        return result

    def _remove_in_steps(self, task: Task, place: Place, mark: str) -> tuple[Outcome, Problem | None]:
        """Less stands there, or something else: first our records one by one, then the mark if nothing is left."""
        update, name = self._marked(task, place, mark)
        for kind, text in sorted(task.known):
            update.delete(name, kind, text)
        answer = exchange(update, place, self._signer)
        if answer.rcode == dns.rcode.NXRRSET:
            return Outcome.DONE, None  # nothing of ours is there
        outcome, problem = self._judge(answer, task, place)
        if outcome is not Outcome.DONE:
            return outcome, problem
        update, name = self._marked(task, place, mark)
        for kind in _TYPES:
            update.absent(name, kind)
        update.delete(name, "TXT", _quoted(mark))
        answer = exchange(update, place, self._signer)
        if answer.rcode in (dns.rcode.NXRRSET, dns.rcode.YXRRSET):
            return Outcome.DONE, None
        return self._judge(answer, task, place)

    def _marked(self, task: Task, place: Place, mark: str) -> tuple[dns.update.UpdateMessage, dns.name.Name]:
        """An update on condition that ``mark`` is there, and the name in it."""
        update, name = dns.update.UpdateMessage(place.zone), relative(task.name, place)
        update.present(name, "TXT", _quoted(mark))
        return update, name

    def _replace(self, update: dns.update.UpdateMessage, name: dns.name.Name, task: Task) -> None:
        for kind in _kinds(task.wanted | task.known):
            update.delete(name, kind)
        for kind, text in sorted(task.wanted):
            update.add(name, self._ttl, kind, text)

    def _judge(self, answer: UpdateAnswer, task: Task, place: Place) -> tuple[Outcome, Problem | None]:
        if answer.rcode == dns.rcode.NOERROR and not answer.tsig_error:
            if self._signer is None or answer.authentic:
                return Outcome.DONE, None
            return Outcome.DOUBTFUL, Problem(
                "DNS-UNSIGNED", f"{place.server.address} did not sign its consent"
            )
        if answer.tsig_error and self._signer is not None:
            self._signer.reset()
        self._zones.forget()
        return Outcome.FAILED, problem_of(answer, task.name, place)


def _exactly(update: dns.update.UpdateMessage, name: dns.name.Name, task: Task) -> None:
    """On condition that the name has the records that we know of, and no others."""
    for kind in _TYPES:
        if texts := [text for one, text in task.known if one == kind]:
            update.present(name, kind, *texts)
        else:
            update.absent(name, kind)


def over_tcp(wire: bytes, server: Server) -> bytes:
    """One message there, one back (RFC 7766 8). Raises :class:`OSError`, :class:`EOFError`."""
    with socket.create_connection(server, TIMEOUT) as sock:
        until = time.monotonic() + TIMEOUT
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        return _received(sock, int.from_bytes(_received(sock, 2, until), "big"), until)


def _received(sock: socket.socket, size: int, until: float) -> bytes:
    """So many bytes, all of them in time: a server that sends one now and then may not keep us."""
    data = b""
    while len(data) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
        part = sock.recv(size - len(data))
        if not part:
            raise EOFError("the server ended the connection")
        data += part
    return data


def _quoted(text: str) -> str:
    return f'"{text}"'


def _kinds(records: Records) -> list[str]:
    return sorted({kind for kind, _ in records})


def exchange(update: dns.message.Message, place: Place, signer: Signer | None = None) -> UpdateAnswer:
    """Sign, send over TCP, and read the answer. Raises what sockets and dnspython raise, and :class:`SignerError`."""
    if signer is not None:
        signer.sign(update, place)
    return read_answer(over_tcp(update.to_wire(max_size=65535), place.server), update)


def texts_of(name: str, kind: str, place: Place) -> list[str] | None:
    """The records of that type as the server has them, sorted; None if it does not say. Raises what sockets and
    dnspython raise."""
    query = dns.message.make_query(name, kind, flags=0)
    answer = dns.message.from_wire(over_tcp(query.to_wire(), place.server))
    if not query.is_response(answer) or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    rows = [row for row in answer.answer if row.name == query.question[0].name]
    return sorted(item.to_text() for row in rows if row.rdtype == query.question[0].rdtype for item in row)


def signed_question(signer: Signer, place: Place) -> Problem | None:
    """Ask for the zone's SOA, signed: what the server holds of our signature, without changing anything.

    Raises what sockets and dnspython raise, and :class:`SignerError`.
    """
    query = dns.message.make_query(place.zone, dns.rdatatype.SOA)
    answer = exchange(query, place, signer)
    if answer.rcode == dns.rcode.NOERROR and not answer.tsig_error:
        return None
    code, words = _refusal(answer)
    return Problem(code, f"zone {place.zone} on {place.server.address}: {words}")


def relative(name: str, place: Place) -> dns.name.Name:
    """As updates of the zone want it."""
    return dns.name.from_text(name).relativize(dns.name.from_text(place.zone))


def problem_of(answer: UpdateAnswer, name: str, place: Place) -> Problem:
    """The finding for a refusal."""
    code, words = _refusal(answer)
    return Problem(code, f"{name} in zone {place.zone} on {place.server.address}: {words}")


def _refusal(answer: UpdateAnswer) -> list[str]:
    """Code and words."""
    code, known = dns.rcode.to_text(answer.rcode), toml_of(__package__, "texts.toml")
    names = (f"TSIG {answer.tsig_error}", code, "another-code")
    return texts(__package__, next(name for name in names if name in known), code=code)
