"""Output of gpresult (/r, /v, /z) -> policies that are filtered out, and registry values.

In every language: headings have a rule below, and a policy that is not applied has its reason one step further in.
"""

import re

from manageout.doctor.console import system
from manageout.doctor.console.paths import unjudged
from manageout.doctor.facts import Facts, Filtered, Linked, Seen
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.shapes import RULE
from manageout.windows.policies import REGISTRY_EXTENSION, TCPIP_EXTENSION

MAX_KEPT = 200
_USER = re.compile(
    r"user|benutzer|utilisateur|usuario|utente|gebruiker|użytkown|uživatel|använd|bruker|käyttäj|kullanıcı|"
    r"felhaszn|пользоват|用户|使用者|ユーザー|사용자|χρήστ|utilizador|usuário", re.I)  # fmt: skip
_REASONS = (
    ("wmi", "wmi"),
    ("secur|sicherh|sécur|segur|sicur|beveil|zabezp|bezpe|säker|sikker|suoja|turva|güven|bizton|безопас|安全|セキュリティ|보안|ασφάλ",
     "security"),
    (r"empty|leer|\bvide|vací|vazi|vuot|leeg|pust|prázd|\btom|tyhjä|boş|üres|пуст|空|비어|κεν", "empty"),
    ("disab|deakt|désact|desh|disatt|uitgesch|wyłącz|zakáz|inakt|devre|letilt|отключ|禁用|停用|無効|사용 안|απεν",
     "disabled"),
)  # fmt: skip


def read(facts: Facts, part: Part) -> bool:
    """What the computer does not apply, with its groups; of the user's part nothing."""
    known = _filtered(facts, part.lines) | system.policies(facts, part)
    return known or unjudged(facts, part)


def _filtered(facts: Facts, lines: list[str]) -> bool:
    user = False
    found: list[Filtered] = []
    groups, headed = [""], False
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if RULE.match(after):
            user = _USER.search(line) is not None if _outer(line, lines) else user
            headed, groups = True, ([] if not user else groups)
            continue
        if user:
            continue
        if _SIFTED.search(line) and ":" not in line:
            headed, groups = True, []
            continue
        if headed and line and ":" not in line and _deeper(after, line) and ":" in after:
            words = after.partition(":")[2].strip()
            found.append(Filtered(line.strip(), _reason(words), f"{line.strip()}: {after.strip()}"))
        elif line[:1] == " " and not set(":()") & set(line) and not RULE.match(line):
            groups.append(line.strip())
    member = ", ".join(one for one in groups if one)[:400]
    facts.filtered += [one._replace(groups=member) for one in found[:MAX_KEPT] if "(" in one.quote]
    return headed or bool(found)


_SIFTED = re.compile(r"filtered out|herausgefiltert|\bfiltr", re.I)
"""The heading, where its rule was left out."""


def _outer(line: str, lines: list[str]) -> bool:
    """A heading of the whole computer's or user's part is not moved in."""
    least = min((len(one) - len(one.lstrip()) for one in lines if one), default=0)
    return len(line) - len(line.lstrip()) == least and "RSOP" not in line.upper()


def _deeper(after: str, line: str) -> bool:
    return bool(after) and len(after) - len(after.lstrip()) > len(line) - len(line.lstrip())


def _reason(words: str) -> str:
    return next((name for pattern, name in _REASONS if re.search(pattern, words, re.I)), "other")


_EXTENSIONS = re.compile(r"\[\{[0-9A-F-]{36}\}[^\s<]*", re.I)
_NAME_OF = re.compile(r"(?:displayname|gpodisplayname)\W{1,12}(?:CDATA\[)?([^\]<>]{2,80})", re.I)


def extensions(facts: Facts, lines: list[str]) -> bool:
    """``gPCMachineExtensionNames``, wherever it is printed: a policy of registry values without the TCPIP extension."""
    found, name = False, ""
    for number, line in enumerate(lines if REGISTRY_EXTENSION in "\n".join(lines).upper() else ()):
        if match := _NAME_OF.search(line):
            name = match[1].strip(" :")
        if REGISTRY_EXTENSION not in line.upper() or (match := _EXTENSIONS.search(line)) is None:
            continue
        found, held = True, match[0]
        for more in lines[number + 1 : number + 8] if not held.endswith("]") else ():
            held += more.strip()
            if held.endswith("]"):
                break
        row = line[: match.start()].strip()
        own = name if not row or row.rstrip(" :").lower().endswith("names") else row
        if TCPIP_EXTENSION not in held.upper() and len(facts.extensions) < MAX_KEPT:
            facts.extensions.append(Seen(own, f"{own}: {held}" if own else held))
    return found


_POLICY = re.compile(r"^(\S.{0,80}?) \[\{[0-9A-F-]{36}\}\]$", re.I)
_REASON = re.compile(
    r"^(?:reason denied|grund\b.{0,30}|raison\b.{0,30}|motivo\b.{0,30})(?:\t|\s{2,}|:)\s*(\S.*)$", re.I
)


def report(facts: Facts, lines: list[str]) -> bool:
    """``gpresult /h``, copied out of the page: a policy's name with its identifier, and below it why it is denied."""
    name, found = "", False
    for line in lines if " [{" in "\n".join(lines) else ():
        if match := _POLICY.match(line.strip()):
            name = match[1]
        elif name and len(facts.filtered) < MAX_KEPT and (match := _REASON.match(line.strip())):
            facts.filtered.append(Filtered(name, _reason(match[1]), f"{name}: {match[1]}"))
            found, name = True, ""
    return found


_LINK = re.compile(r"\[LDAP://cn=\{([0-9A-F-]{36})\},[^\[\];]{1,400};(\d{1,9})\]", re.I)
_IDENTIFIER = re.compile(r"\{([0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12})\}", re.I)
_CONTAINER = re.compile(r"^\s*(?:dn|distinguishedname|name|ou|path|adspath)\s*[:=]\s*(\S.{0,200})$", re.I)
_BLOCKS = re.compile(r"^\s*gpoptions\s*[:=]\s*1\s*$", re.I)
_CALLED = re.compile(
    r"^\s*(?:displayname|name|cn|dn|distinguishedname|objectguid|id)\s*[:=]\s*|^\s*(?:dn|cn)=", re.I
)
MAX_BROKEN = 60
"""Lines into which a console may have broken a list of links."""


def links(facts: Facts, lines: list[str]) -> bool:
    """``gPLink`` and ``gPOptions`` as ADSI, dsquery, ldifde and Get-ADOrganizationalUnit print them ([MS-GPOL] 2.2.2):
    the first bit of a link's options switches it off, the second one enforces it. And the names of policies."""
    if not any("LDAP://" in line or "options" in line.lower() for line in lines):
        return _names(facts, lines)
    found, block = False, []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            found |= _container(facts, block)
            block = []
    return found


def _container(facts: Facts, block: list[str]) -> bool:
    """One domain or organisational unit."""
    name = next((match[1].strip() for line in block if (match := _CONTAINER.match(line))), "")
    words = f"{name}: " if name else ""
    first = next((number for number, line in enumerate(block) if "[LDAP://" in line), len(block))
    listed = "".join(line.strip() for line in block[first : first + MAX_BROKEN])
    own = []
    for match in _LINK.finditer(listed):
        own.append(match[1].lower())
        quote = f"{words}gPLink [LDAP://cn={{{match[1]}}},...;{match[2]}]"
        if len(facts.links) < MAX_KEPT:
            facts.links.append(Linked(own[-1], not int(match[2]) & 1, quote))
    blocks = next((line.strip() for line in block if _BLOCKS.match(line)), "")
    if blocks and len(facts.blocked) < MAX_KEPT:
        facts.blocked.append(Seen(tuple(own), f"{words}{blocks}"))
    return bool(own or blocks)


def _names(facts: Facts, lines: list[str]) -> bool:
    """A policy's name beside its identifier, in one line or in one block; no output by itself."""
    identifier = name = ""
    for line in lines:
        if not line.strip():
            identifier = name = ""
        elif "{" in line and (match := _IDENTIFIER.search(line)) and len(facts.policy_names) < MAX_KEPT:
            identifier = match[1].lower()
            rest = _CALLED.sub("", line.replace(match[0], " "), count=1)
            beside = " ".join(rest.partition(",")[0].strip(" :=,;[]").split())
            name = beside if re.search(r"[^\W\d_]{3}", beside) else name
        elif match := _DISPLAYED.match(line):
            name = match[1].strip()
        if identifier and name:
            facts.policy_names.setdefault(identifier, name[:MAX_NAME])
    return False


MAX_NAME = 200
_DISPLAYED = re.compile(r"^\s*displayname\s*[:=]\s*(\S.*)$", re.I)
