"""A client asks the gateway's DNS64 for its own lease: the TXT record of a name that only the gateway answers.

Also for people: ``Resolve-DnsName lease.manageout.internal -Type TXT``. Other DNS servers know no such name
(``internal`` is for private use), so nothing is told of them.
"""

from ipaddress import AddressValueError, IPv4Address

from manageout.errors import WireError
from manageout.protocol.dns.answers import error, local
from manageout.wire import dns

NAME = "lease.manageout.internal"
NONE = "none"
TXT = 16
_WIRE = dns.to_wire(NAME)
_END = dns.HEADER + len(_WIRE)


def question(number: int) -> bytes:
    """The query, with the identifier ``number``."""
    return dns.build_query(number, _WIRE, TXT)


def asks(message: bytes) -> bool:
    """Whether ``message`` asks for the name."""
    return message[dns.HEADER : _END].lower() == _WIRE and not message[2] & dns.QR >> 8


def answer(message: bytes, lease: bytes | None, *, known: bool = True) -> bytes | None:
    """The answer to who holds ``lease``, refused to those that are not ``known``; None for what is no proper query.

    It is never asked of other servers, whose denial would be kept.
    """
    try:
        query = dns.parse_query(message)
    except WireError:
        return None
    if not known:
        return error(query, dns.REFUSED)
    text = str(IPv4Address(lease)) if lease else NONE
    return local(query, ([bytes([len(text)]) + text.encode()] if query.type == TXT else []), TXT)


def read(message: bytes, asked: bytes) -> str | None:
    """The lease or :data:`NONE`, as ``message`` says in answer to ``asked``; None when it says neither."""
    if dns.rcode_of_answer(message, asked) != dns.NOERROR:
        return None
    try:
        for record in dns.records(message, len(asked), int.from_bytes(message[6:8], "big")):
            data = message[record.data : record.end]
            if record.type == TXT and data and len(data) == data[0] + 1:
                text = data[1:].decode("ascii", "replace")
                return NONE if text == NONE else str(IPv4Address(text))
    except (WireError, AddressValueError):
        pass
    return None
