"""How far this machine's clock is from another's, without changing either.

A domain controller tells its time in the error that answers a Kerberos request for nobody (RFC 4120 5.9.1); a DNS
server tells its own in the signature of an answer (RFC 8945 4.2). Both are asked once; the answer's way back is
counted half.
"""

import calendar
import os
import socket
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.zones import Server
from manageout.errors import ManageoutError
from manageout.service.probe.results import ClockReading
from manageout.words import said

WAIT = 2.0
KERBEROS_PORT = 88
_KRB_ERROR, _SEQUENCE, _STIME, _SUSEC = 0x7E, 0x30, 0xA4, 0xA5
_GENERAL_STRING, _GENERALIZED_TIME, _INTEGER = 0x1B, 0x18, 0x02


def kerberos(address: str, realm: str, wait: float = WAIT) -> ClockReading:
    """Ask the domain controller at ``address``; no account is used, and none is tried."""
    how = "Kerberos"
    request = _request(realm.upper().encode("ascii", "replace"))
    try:
        answer, moment = _exchange(Server(address, KERBEROS_PORT), request, wait)
    except TimeoutError:
        return ClockReading(address, how, error=f"no answer in {wait:g} s")
    except OSError as error:
        return ClockReading(address, how, error=said(error))
    try:
        told = _server_time(answer)
    except (ValueError, IndexError):
        return ClockReading(address, how, error="the answer is no Kerberos error")
    return ClockReading(address, how, moment - told)


def tsig(server: str, zone: str, key_file: Path, wait: float = WAIT) -> ClockReading:
    """Ask a DNS server that shares a key with us, by a signed question that changes nothing."""
    how = "signed DNS"
    place = Server.parse(server)
    query = dns.message.make_query(zone, dns.rdatatype.SOA)
    try:
        KeySigner(key_file).sign(query)
        answer, moment = _exchange(place, query.to_wire(), wait)
        # Read without the key: a wrong clock is exactly what makes a signature worthless.
        message = dns.message.from_wire(answer, keyring=False)
    except TimeoutError:
        return ClockReading(server, how, error=f"no answer in {wait:g} s")
    except ManageoutError as error:
        return ClockReading(server, how, error=error.message)
    except (OSError, ValueError, dns.exception.DNSException) as error:
        return ClockReading(server, how, error=said(error))
    told = _signed_at(message)
    if told is None:
        return ClockReading(server, how, error="the answer is not signed with our key")
    return ClockReading(server, how, moment - told)


def _exchange(server: Server, message: bytes, wait: float) -> tuple[bytes, float]:
    """The answer to a datagram, and when it was given by our clock. Raises :class:`OSError`."""
    with socket.socket(server.family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait)
        sock.connect((server.address, server.port))
        sent = time.time()
        sock.send(message)
        return sock.recv(65535), (sent + time.time()) / 2


def _signed_at(message: dns.message.Message) -> float | None:
    """RFC 8945 5.2.3: a server that finds our clock wrong puts its own time into "other data"."""
    if message.tsig is None:
        return None
    signature = message.tsig[0]
    if signature.error == 18 and len(signature.other) == 6:  # BADTIME
        return float(int.from_bytes(signature.other, "big"))
    return float(signature.time_signed) if not signature.error else None


# --- Kerberos, as much of it as one question needs -----------------------------------------------------


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def _number(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _principal(kind: int, *names: bytes) -> bytes:
    strings = _der(_SEQUENCE, *(_der(_GENERAL_STRING, name) for name in names))
    return _der(_SEQUENCE, _der(0xA0, _number(kind)), _der(0xA1, strings))


def _request(realm: bytes) -> bytes:
    """An AS-REQ (RFC 4120 5.4.1) for a principal that nobody has."""
    nonce = int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF
    body = _der(
        _SEQUENCE,
        _der(0xA0, _der(0x03, bytes(5))),
        _der(0xA1, _principal(1, b"manageout-clock-probe")),
        _der(0xA2, _der(_GENERAL_STRING, realm)),
        _der(0xA3, _principal(2, b"krbtgt", realm)),
        _der(0xA5, _der(_GENERALIZED_TIME, b"20370913024805Z")),
        _der(0xA7, _number(nonce)),
        _der(0xA8, _der(_SEQUENCE, _number(18), _number(17))),
    )
    return _der(0x6A, _der(_SEQUENCE, _der(0xA1, _number(5)), _der(0xA2, _number(10)), _der(0xA4, body)))


def _server_time(answer: bytes) -> float:
    """``stime`` and ``susec`` of a KRB-ERROR. Raises ValueError or IndexError for anything else."""
    fields = _children(_only(_only(answer, _KRB_ERROR), _SEQUENCE))
    text = _only(fields[_STIME], _GENERALIZED_TIME).decode("ascii")
    seconds = calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
    micro = int.from_bytes(_only(fields.get(_SUSEC, b"\x02\x01\x00"), _INTEGER), "big", signed=True)
    return seconds + micro / 1e6


def _children(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        tag, body, data = _take(data)
        found[tag] = body
    if _STIME not in found:
        raise ValueError("no time")
    return found


def _only(data: bytes, tag: int) -> bytes:
    found, body, _ = _take(data)
    if found != tag:
        raise ValueError("another type")
    return body


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, contents, and what follows."""
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if start + size > len(data):
        raise ValueError("truncated")
    return tag, data[start : start + size], data[start + size :]
