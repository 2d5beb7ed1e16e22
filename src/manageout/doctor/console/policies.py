"""Output of gpresult (/r, /v, /z) -> policies that are filtered out, and registry values.

In every language: headings have a rule below, and a policy that is not applied has its reason one step further in.
"""

from __future__ import annotations

import re

from manageout.doctor.console import system
from manageout.doctor.console.paths import unjudged
from manageout.doctor.facts import Facts, Filtered
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.shapes import RULE

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
        if headed and line and ":" not in line and _deeper(after, line) and ":" in after:
            words = after.partition(":")[2].strip()
            found.append(Filtered(line.strip(), _reason(words), f"{line.strip()}: {after.strip()}"))
        elif line[:1] == " " and not set(":()") & set(line) and not RULE.match(line):
            groups.append(line.strip())
    member = ", ".join(one for one in groups if one)[:400]
    facts.filtered += [one._replace(groups=member) for one in found[:MAX_KEPT] if "(" in one.quote]
    return headed or bool(found)


def _outer(line: str, lines: list[str]) -> bool:
    """A heading of the whole computer's or user's part is not moved in."""
    least = min((len(one) - len(one.lstrip()) for one in lines if one), default=0)
    return len(line) - len(line.lstrip()) == least and "RSOP" not in line.upper()


def _deeper(after: str, line: str) -> bool:
    return bool(after) and len(after) - len(after.lstrip()) > len(line) - len(line.lstrip())


def _reason(words: str) -> str:
    return next((name for pattern, name in _REASONS if re.search(pattern, words, re.I)), "other")
