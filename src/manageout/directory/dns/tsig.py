"""TSIG with a shared key (RFC 8945), from a file as ``tsig-keygen`` writes it."""

import base64
import binascii
import re
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.tsig
import dns.update

from manageout.directory.dns.zones import Place
from manageout.errors import ManageoutError

# As BIND reads it: a key that is commented out is none, but a secret may hold two slashes.
_COMMENT = re.compile(r'("[^"]*")|//[^\n]*|#[^\n]*|/\*.*?\*/', re.S)
_KEY = re.compile(r'key\s+"?([^"\s{]+)"?\s*\{(.*?)\}', re.S)
_ALGORITHM = re.compile(r'algorithm\s+"?([A-Za-z0-9.-]+)"?\s*;')
_SECRET = re.compile(r'secret\s+"?([A-Za-z0-9+/=\s]+)"?\s*;')
_KNOWN = {f"hmac-sha{size}": dns.name.from_text(f"hmac-sha{size}") for size in (1, 224, 256, 384, 512)}


class KeySigner:
    """Signs with the key in ``path``. Raises :class:`ManageoutError` that names the fault of the file."""

    def __init__(self, path: Path) -> None:
        def fault(
            words: str, hint: str = "make one with: tsig-keygen -a hmac-sha256 manageout"
        ) -> ManageoutError:
            return ManageoutError(f"names.key_file {path}: {words}", hint)

        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise fault(str(error.strerror) if isinstance(error, OSError) else "not text") from None
        found = list(_KEY.finditer(_COMMENT.sub(lambda comment: comment[1] or " ", text)))
        if len(found) > 1:
            names = ", ".join(key[1] for key in found[:5])
            raise fault(f"holds {len(found)} keys: {names}", "leave one in it")
        match = found[0] if found else None
        algorithm = match and _ALGORITHM.search(match[2])
        secret = match and _SECRET.search(match[2])
        if not match or not algorithm or not secret:
            raise fault("holds no key with algorithm and secret")
        if algorithm[1].lower() not in _KNOWN:
            raise fault(f"algorithm {algorithm[1]} is not used", f"one of {', '.join(_KNOWN)}")
        try:
            name = dns.name.from_text(match[1])
            data = base64.b64decode("".join(secret[1].split()), validate=True)
        except (dns.exception.DNSException, binascii.Error):
            raise fault("name or secret cannot be read") from None
        if not data:
            raise fault("the secret is empty")
        self._key = dns.tsig.Key(name, data, _KNOWN[algorithm[1].lower()])

    @property
    def element(self) -> str:
        """The key in BIND's address match lists."""
        return f'key "{self._key.name.to_text(omit_final_dot=True)}"'

    @property
    def keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        """For a zone transfer."""
        return {self._key.name: self._key}

    def sign(self, update: dns.message.Message, place: Place | None = None) -> None:
        """The same key for every server, for updates and questions."""
        update.use_tsig({self._key.name: self._key})

    def reset(self) -> None:
        """A shared key does not end."""
