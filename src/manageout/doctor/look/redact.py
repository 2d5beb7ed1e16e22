"""Secrets out of texts that leave the machine: private keys, passwords, tokens, shared keys.

By shape, since secrets stand where nobody expects them; and word for word, for those that the site file points to.
Names, addresses and paths stay: they are what the reader needs.
"""

import contextlib
import re
from collections.abc import Iterable

from manageout.site.tables.site import Site

REMOVED = "(removed)"
MAX_KEY_FILE = 65536
_SHORTEST = 8
"""Characters of a word of a key file that is taken for secret."""

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.S)
_WORDS = (
    r"passw(?:or)?d|passphrase|passwort|pwd|secret|token|api[_-]?key|credentials?|psk"
    r"|shared[_-]?key|private[_-]?key"
)
_ASSIGNED = re.compile(
    rf"""(["']?[\w.-]{{0,64}}(?:{_WORDS})["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}}\]]+)""", re.I
)
_BIND = re.compile(r'(\bsecret\s+)("[^"]*"|[A-Za-z0-9+/=]+)(\s*;)', re.I)
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]{0,20}://)[^/\s@\"']{1,256}@", re.I)
_HEADER = re.compile(
    r"(\b(?:proxy-)?authorization\s*:\s*(?:basic|bearer|negotiate|ntlm|digest)?)\s*[^\r\n\"]+", re.I
)
_BEARER = re.compile(r"\b(bearer|basic|negotiate)\s+[A-Za-z0-9+/=._~-]{8,}", re.I)


class Redactor:
    """Cleans texts. ``known``: secrets that are removed wherever they stand."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({word for word in known if len(word) >= _SHORTEST}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """``text`` without what is secret in it."""
        for secret in self._known:
            text = text.replace(secret, REMOVED)
        text = _PEM.sub("-----PRIVATE KEY REMOVED-----", text)
        text = _BIND.sub(rf'\1"{REMOVED}"\3', text)
        text = _ASSIGNED.sub(_without_value, text)
        text = _HEADER.sub(rf"\1 {REMOVED}", text)
        text = _BEARER.sub(rf"\1 {REMOVED}", text)
        return _USERINFO.sub(rf"\1{REMOVED}@", text)


def _without_value(match: re.Match[str]) -> str:
    """Quotes stay, so that JSON and TOML remain what they are."""
    value = match[2]
    quote = value[0] if value[0] in "\"'" else '"' if match[1][0] == '"' else ""
    return f"{match[1]}{quote}{REMOVED}{quote}"


def secrets_of(site: Site | None) -> set[str]:
    """The words of the key files that a site file names: they must not turn up anywhere."""
    keys = [site.gateway.key] if site and site.gateway else []
    keys += [site.names.key_file] if site and site.names and site.names.key_file else []
    found: set[str] = set()
    for file in keys:
        with contextlib.suppress(OSError), file.open("rb") as stream:
            found |= _secret_words(stream.read(MAX_KEY_FILE).decode("utf-8", "replace"))
    return found


def _secret_words(text: str) -> set[str]:
    """Lines of Base64 between PEM's marks, and what follows ``secret``."""
    words = {match[2].strip('"') for match in _BIND.finditer(text)}
    for match in _PEM.finditer(text):
        words |= {line.strip() for line in match[0].splitlines() if line and not line.startswith("-----")}
    return words
