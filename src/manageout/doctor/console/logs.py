"""Text of logs -> packets that the machine's own firewall or one on the way dropped, failed IPsec negotiations.

Windows' own log is in no language; those of other firewalls are known by what all of them have: a word for a refusal,
two addresses, a protocol, and mostly ports.
"""

import re

from manageout.doctor.console.paths import unjudged
from manageout.doctor.facts import Dropped, Facts, Seen
from manageout.doctor.pasted.segments import Part
from manageout.windows.text import addresses

MAX_KEPT, MAX_LINE = 500, 2000
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


def denied(facts: Facts, part: Part) -> bool:
    """What a firewall on the way refused, in its log, its rules' counters or an ICMP error; or what a person says that
    it refuses. Lines of Windows' own log that stand without its heading are the machine's."""
    found = False
    for line in part.lines:
        if len(line) > MAX_LINE or not _REFUSED.search(line):
            continue
        if _LOGGED.match(line):
            found |= part.kind != "pfirewall" and firewall(facts, Part("pfirewall", [line]))
            continue
        one = _refused(line)
        if one is not None and len(facts.denied) < MAX_KEPT:
            facts.denied.append(one)
            facts.understood = found = True
    return found


def _refused(line: str) -> Dropped | None:
    """Of one line: with two addresses, or a rule's or a sentence's with none about protocol 41 alone."""
    ends = _ENDS.findall(line)
    named = [(address, port) for text, port in ends for address in addresses(text)]
    tunnel = _FORTY_ONE.search(line) is not None
    if len(named) < 2:
        told = tunnel and not _DOUBT.search(line)
        return Dropped("41", None, "", "", None, line.strip()) if told else None
    (source, _), (target, behind) = named[:2]
    if tunnel and source.version == target.version == 4:
        return Dropped("41", None, str(source), str(target), None, line.strip())
    spoken, labelled = _TRANSPORT.search(line), _PORT.search(line)
    port = labelled[1] if labelled is not None else behind
    if spoken is None or not port:
        return None
    protocol = "TCP" if spoken[0].lower().strip(",\"'= ") in ("tcp", "6") else "UDP"
    return Dropped(protocol, int(port), str(source), str(target), None, line.strip())


_REFUSED = re.compile(
    r"\b(?:den(?:y|ied|ies)|drop(?:s|ped)?|block(?:s|ed)?|reject(?:s|ed)?|discard(?:s|ed)?|prohibited|filtered|"
    r"verworfen|verwirft|geblockt|blockiert|abgelehnt|verboten|gesperrt|bloqu\w+|refus\w+|rejet\w+|interdit\w*|"
    r"denegad\w+|descartad\w+|forbidden|not (?:permitted|allowed)|nicht (?:erlaubt|durchgelassen))\b|_DENY\b",
    re.I,
)
_DOUBT = re.compile(
    r"\?|n['’]t\b|\b(?:not (?:blocked|den|dropp|filter|reject)\w*|nothing|never|no (?:drops?|den\w+|blocks?)|no longer|"
    r"if|whether|maybe|perhaps|might|may|could|must not|should|unless|0 (?:hits|matches|packets)|hitcnt=0|"
    r"nicht (?:geblockt|blockiert|verworfen|gesperrt|gefiltert)|ob|falls|wenn|vielleicht|evtl|"
    r"pas|si|peut|ne|aucun|or|oder|ou)\b",
    re.I,
)
"""Such a sentence does not say that something is refused."""
_FORTY_ONE = re.compile(
    r"\b(?:ip[ -]?)?proto(?:[ck]oll?e?o?)?(?:_?id|num\w*)?[ =:\"'()#]{0,4}(?:(?:ip|nr\.?|no\.?|number|type)[ -/]?)?41\b"
    r"|\b(?:den(?:y|ied)|drop|reject|block)(?: ip)? 41\b|\bip[/-]41\b|\b41\(\d+\)|[,;|]\s?(?:41|ipv6)\s?[,;|]"
    r"|\b(?:ipv6[ -]?(?:in|over)[ -]?ip(?:v4)?|6in4|ipv6[ -]?encap\w*|ip6-?in-?ip4?)\b",
    re.I,
)
_ENDS = re.compile(
    r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4}:[0-9a-f:]{2,40}(?:\d{1,3}(?:\.\d{1,3}){3})?)"
    r"(?:[/:(]\s?(\d{1,5})\b)?(?!\w|\.\d)",
    re.I,
)
_TRANSPORT = re.compile(r"\b(?:tcp|udp)\b|\bproto(?:col)?[=: \"]{1,3}(?:6|17)\b", re.I)
_PORT = re.compile(
    r"\b(?:dpt|dst_?port|dport|d_port|destination[ _-]?port|service)[=: \"]{1,3}(\d{1,5})\b", re.I
)


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
