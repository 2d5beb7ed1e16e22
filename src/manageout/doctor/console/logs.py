"""Text of Windows' logs -> packets that the firewall dropped, failed IPsec negotiations.

The firewall's log is in no language.
"""

from __future__ import annotations

import re

from manageout.doctor.console.paths import unjudged
from manageout.doctor.facts import Dropped, Facts, Seen
from manageout.doctor.pasted.segments import Part

MAX_KEPT = 500
_LOGGED = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?P<what>DROP|ALLOW|[A-Z-]{4,24}) (?P<protocol>\w{1,10}) "
    r"(?P<source>[0-9A-Fa-f:.]+) (?P<target>[0-9A-Fa-f:.]+) (?:\d+|-) (?P<port>\d{1,5}|-)(?P<rest>.*)$"
)
_IKE = (
    (r"(?:IKE|no valid|kein gültiges).{0,80}"
     r"(?:certific|Zertifikat|сертиф|证书|憑證|証明書|인증서|certyfikat)|\b13806\b|0x35ee",
     "certificate"),
    (r"IKE.{0,60}(?:credential|anmelde|identification|credencia|credenzial|poświadcz|учетн|凭据|認証)|\b13801\b|0x35e9",
     "credentials"),
)  # fmt: skip
_MARKS = ("IKE", "1380", "0x35e", "achine certificate", "omputerzertifikat")


def firewall(facts: Facts, part: Part) -> bool:
    """``pfirewall.log``: what was dropped; what was let through says nothing."""
    known = False
    for line in part.lines:
        match = _LOGGED.match(line)
        known |= match is not None
        if match is None or match["what"] != "DROP" or len(facts.dropped) >= MAX_KEPT:
            continue
        inbound = {"RECEIVE": True, "SEND": False}.get(match["rest"].rpartition(" ")[2])
        protocol, port = match["protocol"].upper(), int(match["port"]) if match["port"].isdecimal() else None
        facts.dropped.append(Dropped(protocol, port, match["source"], match["target"], inbound, line.strip()))
    return known or unjudged(facts, part)


def ike(facts: Facts, lines: list[str]) -> bool:
    """Why a negotiation failed, wherever it is told: in an event, or by Get-WinEvent."""
    found = False
    for line in lines:
        if not any(mark in line for mark in _MARKS):
            continue
        reason = next((name for pattern, name in _IKE if re.search(pattern, line, re.I)), "")
        if reason:
            found = True
            seen = Seen(reason, line.strip())
            if seen not in facts.ike and len(facts.ike) < MAX_KEPT:
                facts.ike.append(seen)
    return found
