"""Outputs that are known, and say little that is judged: ping, tracert, pathping, gpresult, certutil, klist."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from manageout.doctor.console.hops import pinged
from manageout.doctor.console.hops import trace as hops
from manageout.doctor.console.names import MAX_LOOKUPS
from manageout.doctor.facts import Facts, Lookup, Ping, Reached, Seen
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.unread import MAX_NAME
from manageout.windows.text import any_address
from manageout.wire.address import is_address

MAX_UNJUDGED = 100
_NO_HOST = re.compile(
    r"could not find host ([\w.-]+?)\.?(?:\s|$)|[Hh]ost \"?([\w.-]+)\"? nicht finden|h[oô]te? ([\w.-]+)|主机 ?([\w.-]+)"
)


def ping(facts: Facts, part: Part) -> bool:
    """A name that was not found, and whether an address answers. Of a name's addresses it shows one alone, so a success
    says nothing of the others; a failure is mostly an echo that a firewall drops, so it is told as not judged."""
    target = part.command.split()[-1] if part.command else ""
    alone = [line for line in part.lines if line.strip()]
    for line in part.lines:
        match = _NO_HOST.search(line)
        name = next(filter(None, match.groups())) if match is not None else ""
        if (
            not name
            and len(alone) == 1
            and target in line
            and not (_BRACKET.search(line) or is_address(target))
        ):
            name = target  # the one line in which it says so, in another language
        whole = (look.name for look in facts.lookups if look.addresses and name)
        name = next((one for one in whole if one.lower().startswith(f"{name.lower()}.")), name)
        if "." in name:
            if len(facts.lookups) < MAX_LOOKUPS:
                facts.lookups.append(Lookup(name.rstrip("."), "", (), line.strip(), line.strip()))
            return True
    told = pinged(facts, part)
    count = len(facts.pings)
    if _answered(facts, part) or told:
        return True
    six = len(facts.pings) > count and facts.pings[-1].address.version == 6  # which PATH-UNANSWERED judges
    return six or unjudged(facts, part)


def trace(facts: Facts, part: Part) -> bool:
    """``tracert``, ``pathping``."""
    return hops(facts, part) or unjudged(facts, part)


def _answered(facts: Facts, part: Part) -> bool:
    """Keep what came of it."""
    target = part.command.split()[-1] if part.command else ""
    heading = part.lines[0].strip() if part.lines else ""
    bracket = _BRACKET.search(heading)
    word = bracket[1] if bracket else next((one for one in heading.split() if is_address(one)), target)
    if not is_address(word) or len(facts.pings) >= MAX_LOOKUPS:
        return False
    came = next((line.strip() for line in part.lines if _TIME.search(line)), "")
    after = came or next((line.strip() for line in part.lines[1:] if line.strip()), "")
    address = ip_address(word.partition("%")[0])
    unsent = after.startswith("PING:")
    name = _NAMED.search(heading)
    forced = re.search(r"(?:^|\s)[-/][46]\b", part.command) is not None
    quote = f"{heading} {after}".strip()
    called = name[1].lower() if name else ""
    facts.pings.append(Ping(address, not bracket, bool(came), quote, called, forced, unsent))
    return bool(came)


_NAMED = re.compile(r"([\w.-]{1,255}) \[")
_BRACKET = re.compile(r"\[([0-9A-Fa-f:.%]{2,60})\]")
_TIME = re.compile(r"[=<]\s?\d{1,6}\s?(?:ms|мс)")
"""Of an answer, in every language."""


def opened(facts: Facts, part: Part) -> bool:
    """``net use``, ``telnet``, ``curl`` and their like, to an IPv4 address that was typed: what failed."""
    match = _TYPED.search(part.command)
    failed = next((line.strip() for line in part.lines if _FAILED.search(line)), "")
    target = any_address(match[1] or match[2]) if match is not None else None
    if target is None or match is None or not failed:
        return unjudged(facts, part)
    port = int(match[3] or (445 if match[1] else 0))
    facts.tcp[str(target), port] = Reached(False, f"{part.command[:MAX_NAME]}: {failed}", target)
    return True


def fetched(facts: Facts, part: Part) -> bool:
    """``curl``, ``Invoke-WebRequest`` of a page over https: whether it came, and from which address if that is told."""
    host = _PAGE.search(part.command)
    came = next((line.strip() for line in part.lines if _STATUS.search(line)), "")
    answered = came or any(map(_ANSWERED.search, part.lines))
    lost = "" if answered else next((line.strip() for line in part.lines if _LOST.search(line)), "")
    if host is not None and not came and (refused := certificate(part.lines)) is not None:
        facts.tls.setdefault(
            host[1].lower(), refused._replace(quote=f"{part.command[:MAX_NAME]}: {refused.quote}")
        )
        return True
    if host is None or not (came or lost):
        return unjudged(facts, part)
    address = next(
        (
            one
            for word in re.split(r"[\s()\[\],]+", " ".join(part.lines)[:4000])
            if (one := any_address(word))
        ),
        None,
    )
    quote = f"{part.command[:MAX_NAME]}: {came or lost}"
    place = host[1].lower().rstrip("."), int(host[2] or 443)
    if came or place not in facts.tcp:
        facts.tcp[place] = Reached(bool(came), quote, address)
    return True


def certificate(lines: Iterable[str]) -> Seen[str] | None:
    """Why a certificate was not taken, in the words of curl, PowerShell, certutil, browsers and openssl."""
    for line in lines:
        for reason, pattern in _REFUSED.items():
            if pattern.search(line):
                return Seen(reason, line.strip())
    return None


_REFUSED = {
    "expired": re.compile(
        r"CERT_E?_?EXPIRED|0x80090328|0x800b0101|ERR_CERT_DATE|certificate has expired|Zertifikat ist abgelaufen|"
        r"certificat a expiré|certificado ha (?:caducado|expirado)", re.I),
    "revocation": re.compile(r"0x8009201[23]|REVOCATION_OFFLINE|NO_REVOCATION_CHECK|ERR_CERT_\w*REVOCATION", re.I),
    "name": re.compile(
        r"WRONG_PRINCIPAL|0x80090322|0x800b010f|CN_NO_MATCH|ERR_CERT_COMMON_NAME|"
        r"subject name .{0,40}does ?n[o']t match|no alternative certificate subject name", re.I),
    "untrusted": re.compile(
        r"UNTRUSTED_?ROOT|0x80090325|0x800b0109|ERR_CERT_AUTHORITY|self[- ]signed cert|unable to get local issuer|"
        r"untrusted root", re.I),
    "other": re.compile(
        r"trust relationship|Vertrauensstellung|relation d'approbation|relación de confianza|"
        r"remote certificate is invalid|Remotezertifikat ist|SSL connection could not be established", re.I),
}  # fmt: skip
"""The codes are those of Schannel and of certificate chains, and in no language."""
_PAGE = re.compile(r"https://([\w.-]{1,255})(?::(\d{1,5}))?", re.I)
_STATUS = re.compile(r"^\s*(?:HTTP/[\d.]+ |StatusCode\s*:\s*|< HTTP/[\d.]+ )?(?:200|30[1278]|40[13])(?=\s|$)")
"""What a web server answers that is there."""
_LOST = re.compile(
    r"curl: \((?:6|7|28|56)\)|onnect to the remote server|Remoteserver|serveur distant|servidor remoto|"
    r"server remoto|timed out|Timeout|not be resolved|\], (?:WebException|HttpRequestException)", re.I)  # fmt: skip
"""No connection came about. A certificate that curl does not take (35, 60) has come by one."""
_ANSWERED = re.compile(r"\([45]\d\d\)")
"""An error that the server itself answers."""
_TYPED = re.compile(
    r"(?:\\\\(\d{1,3}(?:\.\d{1,3}){3})\\|(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?:[ :](\d{1,5}))?)"
)
_FAILED = re.compile(
    r"(?<![\d.])(?:5[13]|64|67|121|123[12])(?![\d.])|curl: \(\d+\)|[Cc]ould not open|ailed to connect", re.A
)
"""Windows' numbers for a path, a name or a network that is not found, in any language; what telnet and curl say."""


def unjudged(facts: Facts, part: Part) -> bool:
    """It is said that the output was seen, and that no rule looks at it."""
    if not part.lines:
        return False
    name = part.command or f"{part.kind}, {part.lines[0].strip()}"
    if len(facts.unread) < MAX_UNJUDGED:
        facts.unread.append(f"{name[:MAX_NAME]}: known, nothing in it is judged")
    return True
