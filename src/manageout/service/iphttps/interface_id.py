"""The interface identifier of a remote client: stable, opaque, the same wherever it connects from (RFC 7217)."""

import hashlib
import os
from ipaddress import IPv6Address
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manageout.errors import BadArgument
from manageout.service.tls.certificates import load_certificate, names_of

# The reserved anycasts of RFC 5453, and what looks like ISATAP.
_RESERVED = (b"\xfd\xff\xff\xff", b"\0\0^\xfe", b"\2\0^\xfe")


class InterfaceId:
    """Called with 8 bytes of prefix and the number of duplicates met: 8 bytes."""

    def __init__(self, secret: bytes, chosen: bytes | None = None) -> None:
        """``secret``: what identifiers are derived from; ``chosen``: the one to use unless it is a duplicate."""
        self._secret = secret
        self._chosen = chosen

    def __call__(self, prefix: bytes, duplicates: int) -> bytes:
        """The same for the same prefix, another after a duplicate (RFC 7217 5)."""
        if self._chosen is not None and not duplicates:
            return self._chosen
        while True:
            found = hashlib.sha256(b"".join((prefix, duplicates.to_bytes(4, "big"), self._secret))).digest()[
                :8
            ]
            if any(found) and found[:4] not in _RESERVED:
                return found
            duplicates += 1 << 16


def parse(text: str) -> bytes:
    """From ``::1:2:3:4``, the last 64 bits of an address. Raises :class:`BadArgument`."""
    try:
        packed = IPv6Address(text).packed
    except ValueError:
        packed = bytes(16)
    if any(packed[:8]) or not any(packed[8:]):
        raise BadArgument(f"{text!r} is no interface identifier", "write its last 64 bits like ::a:b:c:d")
    chosen = packed[8:]
    if not any(chosen[:6]):
        # ::1 is the gateway's, and the other small ones are where administrators put servers.
        raise BadArgument(f"{text!r} is kept for gateways and servers", "take one of at least ::1:0:0")
    if chosen[:4] in _RESERVED:
        raise BadArgument(f"{text!r} is reserved (RFC 5453) or an ISATAP identifier", "choose another one")
    return chosen


def secret_of(certificate: Path | None) -> bytes:
    """What stays the same for this client: the key and name of its certificate, or the machine's own number.

    Raises :class:`PkiError`.
    """
    if certificate is not None:
        loaded = load_certificate(certificate)
        key = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(key + "\0".join(names_of(loaded)).encode()).digest()
    try:
        machine = Path("/etc/machine-id").read_bytes()
    except OSError:
        machine = os.uname().nodename.encode()
    return hashlib.sha256(b"manageout" + machine).digest()
