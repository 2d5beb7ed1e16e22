"""Output of netsh http show sslcert and certutil -store -> which certificate is bound, and which the computer holds."""

import re

from manageout.doctor.console.paths import certificate, unjudged
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import Facts, Seen
from manageout.doctor.pasted.segments import Part
from manageout.windows.text import ZONE, end_of, start_of

_HASH = re.compile(r"^[^:：]*[:：]\s*((?:[0-9a-f]{2} ?){20})$", re.I)
_NO_KEY = re.compile(
    r"no key provider|private key for decryption|Missing stored keyset|0x80090016|Schlüsselanbieterinf|"
    r"privat\w* Schlüssel .*nicht|fournisseur de cl|clé privée|proveedor de claves|clave privada", re.I)  # fmt: skip
_KEY = re.compile(
    r"\s*(?:provider|anbieter|fournisseur|proveedor|provedor|key container|schlüsselcontainer)\s*=", re.I
)
_NAMED = re.compile(r"\bCN ?=|\bDNS[ -][^\s=]{1,12}=|\b1\.3\.6\.1\.5\.5\.7\.3\.2\b", re.I)
"""A name that the certificate is for, or the usage of clients."""
MAX_NAMES = 8
_COMMON = re.compile(r"\bCN ?= ?([\w*.-]{1,255})")
_PORT = re.compile(r"[:：]\s+\S*:443$")
_OTHER = re.compile(r"[:：]\s+\S*:\d{1,5}$")


def bound(facts: Facts, part: Part) -> bool:
    """``netsh http show sslcert``: the hash at port 443, below the line with the port, in any language."""
    port = known = False
    for line in part.lines:
        if _OTHER.search(line):
            port = _PORT.search(line) is not None
        elif match := _HASH.match(line):
            known = True
            if port:
                facts.bound = facts.bound or Seen(bare(match[1]), f"port 443: {line.strip()}")
    return known or unjudged(facts, part)


def shown(facts: Facts, part: Part) -> bool:
    """``openssl s_client``, ``openssl x509``: the certificate that a server showed, when it has expired."""
    asked = _CONNECT.search(part.command)
    named = next(
        (match[1] for line in part.lines if (match := _SUBJECT.search(line))), asked[1] if asked else ""
    )
    end = next((line for line in part.lines if "notAfter=" in line), "")
    until = start_of(end)
    if not named or (until is None and not asked):
        return unjudged(facts, part)
    why = certificate(part.lines)
    if until is not None and facts.read_at is not None and until + ZONE < facts.read_at:
        why = Seen("expired", end.strip())
    if why is not None and why.value == "expired":  # whom this machine trusts says nothing of others
        facts.tls.setdefault(
            (asked[1] if asked else named).lower(), why._replace(quote=f"{named}: {why.quote}")
        )
    return True


_CONNECT = re.compile(r"-connect\s+\[?([\w.-]{1,255})", re.I)
_SUBJECT = re.compile(r"^\s*subject\s?=.*\bCN ?= ?([\w*.-]{1,255})")


def bare(text: str) -> str:
    """A hash as the programs compare it."""
    return text.replace(" ", "").lower()


def _is_empty(lines: list[str]) -> bool:
    """The heading and the last line alone; an error has its number."""
    filled = [line for line in lines if line.strip()]
    return 0 < len(filled) < 3 and not any("====" in line or "0x" in line for line in filled)


def store(facts: Facts, part: Part) -> bool:
    """``certutil -store my``: the second date of each certificate is its end, in any language."""
    if "verify" in part.command.lower() and (why := certificate(part.lines)) is not None:
        names = [match[1] for line in part.lines[:40] if (match := _COMMON.search(line))]
        if names:  # the issuer's stands before its own
            facts.tls.setdefault(names[:2][-1].lower(), why._replace(quote=f"{names[:2][-1]}: {why.quote}"))
            return True
    if part.command and not re.search(r"\bmy\b", part.command, re.I):
        return unjudged(facts, part)
    held: dict[str, Seen[bool | None]] = {}
    dates: list[str] = []
    named: list[str] = []
    last = "a certificate"
    for line in [*part.lines, "===="]:
        if line.startswith("===="):
            if len(dates) > 1 and (end := end_of(dates[1])) is not None and len(facts.store) < MAX_ROWS:
                facts.store.append(Seen(end, "; ".join([*named[:MAX_NAMES], dates[1].strip()])))
            dates, named = [], []
        elif len(dates) > 1 and _NAMED.search(line):
            named.append(line.strip())  # the issuer stands above the dates
        elif match := _HASH.match(line):
            held[bare(match[1])] = Seen(None, line.strip())
            last = line.strip()
        elif _NO_KEY.search(line):
            if len(facts.keyless) < MAX_ROWS and not any(last in one for one in facts.keyless):
                facts.keyless.append(f"{last}: {line.strip()}")
        elif " = " in line and _KEY.match(line):
            facts.keyed = True
        elif ":" in line and end_of(line.partition(":")[2]) is not None:
            dates.append(line)
    if part.command and (held or _is_empty(part.lines)):
        facts.held = held
        facts.nothing |= {} if held else {"cert:my": f"{part.command}: nothing"}
        return True
    return bool(facts.store or held) or unjudged(facts, part)
