"""What people say around the outputs that they paste: which machine is the server, how a farm is balanced, whose an
address is, which error they saw. An output that says the same thing has the last word.

Few words are looked for, and only in lines that are no output's. Pure and linear.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import islice

from manageout.doctor.facts import Seen, Told
from manageout.doctor.pasted.lines import PROMPT
from manageout.windows.text import addresses
from manageout.words import toml_of

MAX_SAID = 2000
"""Lines that are looked at."""
_OUTPUT = re.compile(r"\. \.|^\s*(?:\S+\s+){1,4}[:=]\s|^\s*[-=*]{3,}|\bREG_|^\s*(?:\d+\s+){2}|/\d{1,3}\s+\d")
_HINT = re.compile(
    r"\b(?:da|directaccess|isatap|manag\w*|help ?desk|laptops?|clients?|"
    r"uag|nlb|vips?|dips?|cluster|f5|big-?ip|kemp|netscaler|citrix|haproxy|multi-?site|server|ipv6|v6|"
    r"edge|remote|hotel|hotspot|airport|home|hause|daheim|unterwegs|public|maison|casa|office|lan|büro|bureau|oficina|inside|"
    r"internal|internet|browsing|surfen|navegar|web ?\w*|serveur|servidor)\b|öffentlich"
    r"|balanc|lastverteil|répartit|knoten|0x[0-9a-f]|/iphttps",
    re.I,
)
_SERVER = (
    r"(?:(?:da|directaccess|uag)(?: 20\d\d(?: ?r2)?)?[ -]?(?:edge[ -]?)?"
    r"(?:server|gateway|node|box|vm|host|knoten|serveur|servidor)|edge[ -]server|edge topology"
    r"|(?:server|serveur|servidor|serwer|nodo|nœud)(?: 20\d\d(?: ?r2)?)?(?: de)? (?:da|directaccess|uag)"
    r"|server:? [\w-]+ \([^()]{0,40}directaccess|remote ?access[ -]server|directaccess 20\d\d"
    r"|isatap[ -]?router|(?:routeur|router) isatap)"
)
_OTHERS = (
    r"client|laptop|notebook|helpdesk|workstation|manager|console|desktop|pc|host|rechner|arbeitsplatz|poste|"
    r"station|equipo|portátil|portable|ordenador|ordinateur|klient|cliente|box"
)
_MACHINE = re.compile(
    rf"\b(?:(?P<server>{_SERVER})|{_SERVER}s|(?:helpdesk[ -])?(?:{_OTHERS})(?P<many>s?))\b"
    r"|\b\w*(?:rechner|laptops?|clients?)\b",
    re.I,
)
"""Several servers are none of which an output is."""
_ARTICLE = (
    r"(?:(?:the|a|my|our|this|one|dem|der|den|die|das|einem|unserem|diesem|unser|mein|unsere|meine|le|la|un|une|el|mon|"
    r"ma|notre|ce|mi|nuestro|il|lo)\s+)?"
)
_PLACE = re.compile(
    r"(?:^|[\s(])(?:on|from|at|auf|am|an|vom|von|sur|depuis|dans|en|desde|del|du|op|su|sul|na|no)\s+"
    rf"{_ARTICLE}(?:[\w'-]+\s+){{0,2}}$",
    re.I,
)
_SUBJECT = re.compile(
    r"(?:^|[.:;!?]\s)\W*(?:(?:hi|hello|hallo|bonjour|hola|moin),?\s+)?(?:(?:and|und|et|y|here(?: is|'s)?|this is|"
    r"das ist|dies ist|hier|voici|c'est|[\w.-]+(?: \([^)]{1,40}\))? (?:is|ist|est|es))\s+)*"
    rf"{_ARTICLE}(?:[\w'-]+\s+){{0,1}}\(?$",
    re.I,
)
_WELL = re.compile(
    r"[\s,](?:\S+\s){0,3}(?:fine|gives|ok|okay|works?|healthy|green|funciona|bien|fonctionne|marche|läuft|geht)\b",
    re.I,
)
"""What is said of a machine that is not the one to look at."""
_NAME = r"(?-i:(?=[\w-]*[\d-]|[A-Z]{3})[A-Za-z][A-Za-z0-9-]{1,14})(?:\.[\w-]+){0,8}"
_CALLED = re.compile(
    rf"\b{_SERVER}\b(?:\s*[:=]|,)?\s+\(?(?:is|ist|est|es|named|called|namens|heißt|s'appelle)?\s*\(?(?P<after>{_NAME})\b"
    rf"|(?<![\w.-])(?P<before>{_NAME})\b(?:\s*\([^)]{{1,60}}\))?\s+(?:is|ist|est|es)\s+(?:\w+\s+){{0,2}}{_SERVER}\b",
    re.I,
)
_NLB = re.compile(
    r"(?<!\bno )(?<!\bnot )(?<!without )(?<!\bkein )(?<!\bohne )(?<!\bsans )(?:\bnlb\b|network load.?balanc)",
    re.I,
)
_EXTERNAL = re.compile(
    r"\b(?:f5|big-?ip|kemp|loadmaster|netscaler|citrix adc|haproxy|a10|barracuda|fortiadc|hlb|multi-?site)\b"
    r"|(?:external|hardware|third.?party|externe[rn]?|matériel) (?:load.?balanc|lastverteil|répartit)",
    re.I,
)
_SHARED = r"\bvips?\b|virtual|virtuel|\bcluster(?:s|[ -]?(?:ip|address|adresse|vip))?\b"
_OWN = r"\bdips?\b|dedicated|dediziert|dédié|\bnodes?\b|knoten|nœud|\bnodo"
_WHOSE = re.compile(
    rf"(?P<shared>{_SHARED})|(?P<own>{_OWN})|(?P<address>(?<![\w.:])(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|"
    r"[0-9a-f]{1,4}:[0-9a-f:]{2,40})(?![\w:]))",
    re.I,
)
_BEHIND = re.compile(
    rf"\W{{0,3}}(?:(?:is|ist|est|es|the|our|die|der|la|el|le)\W+){{1,3}}(?:(?P<shared>{_SHARED})|{_OWN})"
    rf"|\s?[=(]\s?(?:(?P<alone>{_SHARED})|{_OWN})",
    re.I,
)
_OUTSIDE = re.compile(
    r"\b(?:hotel|hotspot|airport|at home|home (?:office|network)|zu ?hause|daheim|unterwegs|à la maison|en casa|"
    r"(?:public|öffentliche[sn]?) (?:network|wi-?fi|profile?|netzwerk|netz))\b",
    re.I,
)
_INSIDE = re.compile(
    r"\b(?:in (?:the|our) (?:office|lan|building)|inside the (?:lan|network|corp)|"
    r"on (?:the|our) (?:lan|corp\w* network)|office pcs?|im (?:büro|firmennetz|lan|hause)|au bureau|en la oficina|"
    r"internal pcs?|on-?prem)\b",
    re.I,
)
_INTERNET = re.compile(
    r"\b(?:internet|web ?sites?|web ?pages?|browsing|webseiten|surfen|sites web|navegar)\b", re.I
)
_SIX_ONLY = re.compile(
    r"(?:ipv6|v6)[ -]?only|(?:nur|only|seulement|solo|uniquement) (?:an )?(?:ipv6|v6)\b", re.I
)
_MANAGES = re.compile(
    r"isatap|manag(?:e|ing).?out|help ?desk|(?:reach|manage|rdp to|remote into) \S* ?(?:laptop|client)", re.I
)
_FAILS = re.compile(
    r"n['’]t\b|\b(?:not|no|never|cannot|cant|fail\w*|broken|refuses|stays|stuck|missing|nicht|kein\w*|nie|fehlt|"
    r"pas|aucun\w*|jamais|échou\w*|nunca|ning[uú]n\w*|falla\w*|non|nessun\w*)\b",
    re.I,
)
_GONE = re.compile(
    r"no longer|any ?more|n['’]t (?:use|need|have)|not (?:used?|need)|remov|retire|nicht mehr|plus d|ya no",
    re.I,
)
"""Somebody has taken it away."""
_CODE = re.compile(r"\b(?:0x(?P<hex>[0-9a-f]{2,8}))\b", re.I)
_URL = re.compile(r"https://[\w.:-]{1,260}/ip-?https\b", re.I)
_AROUND = str.maketrans("()[]=", "     ")
_OF_IPHTTPS = re.compile(r"ip-?https|httpstunnel|last ?error ?code", re.I)


def told(lines: Iterable[str]) -> Told:
    """What ``lines`` of a whole text say beside their outputs."""
    found = Told()
    for line in _said(lines, _HINT):
        for match in _CALLED.finditer(line):
            found.servers.add((match["after"] or match["before"]).partition(".")[0].lower())
            near = line[match.end() : match.end() + 40].partition(". ")[0].translate(_AROUND)
            found.addresses.update(dict.fromkeys(addresses(near), line.strip()))
        kind = "nlb" if _NLB.search(line) else "external" if _EXTERNAL.search(line) else ""
        if kind and found.balancing is None:
            found.balancing = Seen(kind, line.strip())
        for shared, address in _owners(line):
            (found.virtual if shared else found.nodes).setdefault(address, line.strip())
        if _OUTSIDE.search(line):
            found.outside = found.outside or line.strip()
        found.isatap = found.isatap or (line.strip() if "isatap" in line.lower() else "")
        if _MANAGES.search(line) and _FAILS.search(line) and not _GONE.search(line):
            found.complaint = found.complaint or line.strip()
        spoken = _INTERNET.search(line)
        if spoken and not _WELL.match(line, spoken.end()):
            found.internet = found.internet or line.strip()
        if _INSIDE.search(line):
            found.inside = found.inside or line.strip()
        if _SIX_ONLY.search(line):
            found.six_only = found.six_only or line.strip()
        if (url := _URL.search(line)) is not None:
            found.url = Seen(url[0], line.strip())
        code = _CODE.search(line)
        if code is not None and found.error is None:
            found.error = Seen(int(code["hex"], 16), line.strip())
    return found


def hosts(lines: Iterable[str]) -> dict[IPv6Address, str]:
    """ISATAP addresses with a prefix and an IPv4 address, anywhere in the text; scopes of rules are none."""
    found: dict[IPv6Address, str] = {}
    for line in lines:
        if ":5efe:" in line.lower() and len(line) < MAX_LINE and len(found) < MAX_HOSTS:
            for word in _SIX.findall(line):
                six = next((one for one in addresses(word) if isinstance(one, IPv6Address)), None)
                if six is not None and not six.is_link_local and six.packed[12]:
                    found.setdefault(six, line.strip())
    return found


MAX_LINE, MAX_HOSTS = 2000, 64
_SIX = re.compile(r"(?<![\w:.-])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{6,60}[0-9A-Fa-f](?!\.?[\w:/%-])")


def marked(lines: Iterable[str]) -> dict[IPv4Address | IPv6Address, str]:
    """Addresses in outputs beside which somebody has written that they are a farm's virtual ones."""
    marks = filter(None, (_MARKED.search(line) for line in lines if len(line) < MAX_LINE))
    return {one: match.string.strip() for match in islice(marks, MAX_HOSTS) for one in addresses(match[1])}


_MARKED = re.compile(
    r"[:：]\s(\d{1,3}(?:\.\d{1,3}){3})(?:\([^)]{1,30}\))?\s{0,40}(?:<[-=]{1,3}|←|#)[^:]{0,40}?(?:\bvip\b|virtual|virtuel)",
    re.I,
)


def direct(lines: Iterable[str]) -> str:
    """The first line that speaks of DirectAccess."""
    return next((line.strip()[:400] for line in lines if _DIRECT.search(line)), "")


_DIRECT = re.compile(r"direct ?access", re.I)


def no_probe(lines: Iterable[str]) -> str:
    """The first line that says that the record by which Windows calls itself connected is gone."""
    return next((line.strip() for line in _said(lines, _PROBE) if _LOST.search(line)), "")


_PROBE = re.compile(r"corp-?connectivity-?host", re.I)
_LOST = re.compile(
    r"\b(?:no|not|gone|missing|deleted|removed|vanished|kein\w*|fehlt|weg|gelöscht|verschwunden|disparu\w*|supprimé\w*|"
    r"manque|aucun\w*|n'existe|falta|borrad\w+|no existe)\b|n['’]t\b",
    re.I,
)


def logon(lines: Iterable[str]) -> str:
    """The first line that says that something works only while a user is logged on."""
    return next((line.strip() for line in _said(lines, _LOGON) if _ONLY.search(line)), "")


_LOGON = re.compile(
    r"\blog(?:ged|s|ging)?[ -]?(?:on|in)\b|\bsign(?:ed|s|ing)?[ -]?in\b|ctrl.?alt.?del|lock ?screen|"
    r"angemeldet|anmeld\w*|ouvert\w* (?:de |une |sa )?session|"
    r"session (?:est )?ouverte|connexion de l'utilisateur|inici\w+ (?:de )?sesión",
    re.I,
)
_ONLY = re.compile(
    r"\b(?:only|until|unless|once|as soon as|as long as|while|when|after|before|nobody|no ?one|none|without|screen|"
    r"erst|nur|sobald|solange|niemand|bevor|vor|nach|ohne|seulement|dès que|personne|avant|après|tant que|sans|"
    r"que quand|solo|hasta|nadie|antes|después)\b|ctrl.?alt.?del",
    re.I,
)


def edition(lines: Iterable[str]) -> Seen[str] | None:
    """Windows' edition as winver, the settings, dism and slmgr have it, in a line of its own."""
    for line in lines:
        match = _EDITION.fullmatch(line.strip()) if len(line) < 100 else None
        if match is not None:
            return Seen(match[1] or match[2], line.strip())
    return None


_EDITION = re.compile(
    r"(?:(?:[\w ]{0,12}(?:[eé]di[tçzc]\w+|editie|wydanie|выпуск|utg[aå]va)|版本|エディション|에디션)\s*[:：]?\s+)?"
    r"((?:Microsoft )?Windows (?:7|8|8\.1|10|11)(?: [^\W\d][\w-]{1,20}){1,4})"
    r"|[\w ]{0,12}(?:[eé]di[tçzc]\w+|editie|wydanie|выпуск)\s*[:：]\s*([A-Z]\w{2,40})",
    re.I,
)


def missing(lines: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Values of the registry, lower case, of which somebody says that they are not there -> the line."""
    known = re.compile("|".join(names), re.I)
    found: dict[str, str] = {}
    for line in _said(lines, known):
        match = known.search(line)
        if match is not None and _ABSENT.match(line, match.end()):
            found.setdefault(match[0].lower(), line.strip())
    return found


_ABSENT = re.compile(
    r"['\"`]?,?\s(?:[\w'’]+\s){0,5}?(?:(?:not|isn't|isnt|doesn't|never|nicht|pas|no)\s(?:\w+\s){0,2}?"
    r"(?:set|there|exist\w*|present|defined|configured|gesetzt|vorhanden|da|défini\w*|existe|présente?)\b|"
    r"missing|absent|fehlt|is unset|n'existe pas|no existe)",
    re.I,
)


def build(lines: Iterable[str]) -> Seen[int] | None:
    """Windows' build by the release that the text speaks of (``Win10 22H2``, ``version 2004``), where it is one alone;
    Windows 11 without one is its first."""
    found: dict[int, str] = {}
    for line in lines:
        low = line.lower()  # a search for words is quicker than the expression
        hinted = (
            "win" in low or "w1" in low or "version" in low or "release" in low or "h2" in low or "h1" in low
        )
        spoken = [*_RELEASE.finditer(line)] if hinted and len(line) < MAX_LINE else []
        for match in spoken:
            release = (match["of"] or match["alone"] or "").lower()
            number = RELEASES["11" if match["eleven"] else "10"].get(release, RELEASES["11"].get(release, 0))
            number = number or (RELEASES["11"]["21h2"] if match["eleven"] else 0)
            if number:
                found.setdefault(number, line.strip())
        for bare in _BARE.findall(line) if spoken else ():
            found.setdefault(RELEASES["10"][bare], line.strip())
    (number, quote), *others = found.items() or [(0, "")]
    return Seen(number, quote) if number and not others else None


RELEASES: dict[str, dict[str, int]] = toml_of("manageout.doctor.pasted", "releases.toml")
"""Windows -> release, lower case -> build."""
_RELEASE = re.compile(
    r"\b(?:(?:(?:win(?:dows)?[ -]?|w)(?:(?P<eleven>11)|10)|version|release)\b"
    r"(?:[ ,(]+(?:enterprise|pro|professional|education|ent|version|v\.?|ltsc)\b){0,3}"
    r"(?:[ ,(]{1,3}v?(?P<of>\d\dh[12]|15(?:07|11)|1607|170[39]|180[39]|190[39]|2004)\b)?|(?P<alone>2\dh[12])\b)",
    re.I,
)
_BARE = re.compile(r"\b(?:15(?:07|11)|1607|170[39]|180[39]|190[39]|2004)\b")
"""Numbers that beside a release are others."""


def of_iphttps(line: str) -> bool:
    """Whether an error code in ``line`` is said to be IP-HTTPS's."""
    return _OF_IPHTTPS.search(line) is not None


def speaks_of_a_server(lines: Iterable[str]) -> bool:
    """Whether the machine that ``lines``, which stand above an output, say it is of is a server: the last one at which
    somebody is said to sit, or of which a sentence speaks; else the last one."""
    last = placed = None
    for line in _said(lines, _MACHINE):
        for match in _MACHINE.finditer(line):
            last, before = match, line[: match.start()]
            one = match["server"] is not None or match["many"] == ""
            one &= placed is None or not _WELL.match(line, match.end())
            placed = match if one and (_PLACE.search(before) or _SUBJECT.search(before)) else placed
    chosen = placed or last
    return chosen is not None and chosen["server"] is not None


def _said(lines: Iterable[str], hint: re.Pattern[str]) -> Iterator[str]:
    """The lines of prose that hold one of the words."""
    count = 0
    for line in lines:
        if (
            hint.search(line)
            and not _OUTPUT.search(line)
            and len(line.split()) > 1
            and not PROMPT.match(line)
        ):
            yield line[:400]
            if (count := count + 1) == MAX_SAID:
                return


def _owners(line: str) -> Iterator[tuple[bool, IPv4Address | IPv6Address]]:
    """Addresses of a sentence, and whether they are a cluster's own: by the word before them, or right behind."""
    whose: bool | None = None
    for match in _WHOSE.finditer(line):
        if match["address"] is None:
            whose = match["shared"] is not None
            continue
        behind = _BEHIND.match(line, match.end())
        shared = bool(behind["shared"] or behind["alone"]) if behind is not None else whose
        if shared is not None:
            yield from ((shared, address) for address in addresses(match["address"]))
