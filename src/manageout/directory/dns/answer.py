"""Answers to signed updates, as servers really sign them.

Windows signs only consent ([MS-GSSA]), nobody signs TSIG errors (RFC 8945 5.3), and Samba leaves out the length of the
request's MAC where RFC 8945 4.3.1 puts it: the code of an answer is taken however it is signed, but never as consent
unless the signature is right in one of these forms.
"""

import struct
from typing import Any, NamedTuple

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.tsig
import dns.update


class UpdateAnswer(NamedTuple):
    """A server's answer to an update."""

    rcode: dns.rcode.Rcode
    authentic: bool
    """Signed by whom the question was signed for."""
    tsig_error: str = ""
    """BADKEY, BADSIG or BADTIME: what the server holds of our signature; BADSIG also if its own is wrong."""


def read_answer(wire: bytes, update: dns.message.Message) -> UpdateAnswer:
    """Read and judge ``wire``. Raises :class:`EOFError` for an answer to something else, and what dnspython raises."""
    try:
        answer = dns.message.from_wire(wire, keyring=update.keyring, request_mac=update.mac)
    except dns.tsig.PeerBadKey:
        return UpdateAnswer(dns.rcode.NOTAUTH, False, "BADKEY")
    except dns.tsig.PeerBadSignature:
        return UpdateAnswer(dns.rcode.NOTAUTH, False, "BADSIG")
    except dns.tsig.PeerBadTime:
        return UpdateAnswer(dns.rcode.NOTAUTH, False, "BADTIME")
    except (dns.tsig.BadSignature, dns.tsig.BadTime, dns.message.UnknownTSIGKey):
        return _otherwise_signed(wire, update)
    except dns.exception.FormError:  # not signed
        answer = dns.message.from_wire(wire, keyring=False)
    if answer.id != update.id:
        raise EOFError("the answer is to another question")
    return UpdateAnswer(answer.rcode(), answer.had_tsig)


def _otherwise_signed(wire: bytes, update: dns.message.Message) -> UpdateAnswer:
    """A signature that is not the RFC's: a refusal is believed, consent only if it is Samba's form."""
    answer = dns.message.from_wire(wire, keyring=False)
    if answer.id != update.id:
        raise EOFError("the answer is to another question")
    if answer.rcode() != dns.rcode.NOERROR:
        return UpdateAnswer(answer.rcode(), False)
    if _samba_signed(wire, answer, update):
        return UpdateAnswer(answer.rcode(), True)
    return UpdateAnswer(dns.rcode.NOTAUTH, False, "BADSIG")


def _samba_signed(wire: bytes, answer: dns.message.Message, update: dns.message.Message) -> bool:
    """RFC 8945 4.3.1 without the two bytes of length before the request's MAC."""
    key: Any = update.keyring
    record = answer.tsig
    if key.algorithm != dns.tsig.GSS_TSIG or record is None:
        return False
    tsig = record[0]
    owner, data = record.name.to_wire() or b"", tsig.to_wire() or b""
    start = len(wire) - len(owner) - 10 - len(data)
    if start < 12 or wire[start : start + len(owner)] != owner:
        return False
    (additional,) = struct.unpack_from("!H", wire, 10)
    head = struct.pack("!H", tsig.original_id) + wire[2:10] + struct.pack("!H", additional - 1)
    name, algorithm = (each.to_digestable(dns.name.root) for each in (record.name, tsig.algorithm))
    signed = divmod(tsig.time_signed, 1 << 32)
    facts = struct.pack("!HIHHH", *signed, tsig.fudge, tsig.error, len(tsig.other))
    variables = name + struct.pack("!HI", 255, 0) + algorithm + facts + tsig.other
    try:
        key.secret.verify_signature((update.mac or b"") + head + wire[12:start] + variables, tsig.mac)
    except Exception:  # gssapi's own kinds, of a package that need not be there
        return False
    return True
