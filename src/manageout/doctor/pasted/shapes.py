"""Lines without a command above them -> whose output they look like, by what no language changes."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from manageout.doctor.languages import means
from manageout.doctor.powershell.delimited import DELIMITED, MARKDOWN_RULE
from manageout.doctor.powershell.shapes import KNOWN

MAX_LOOK = 6
"""Lines below that are looked at to know a line."""
DOTTED = re.compile(r"\S ?\. \.|\. ?: |\. ?:$|\. \. ")
RULE = re.compile(r"^\s*-{3,}[- ]*$")
"""The line below a heading."""
LUID = re.compile(r":\s*(?:[a-z]\w*_\d+)\s*$")
_DESTINATION = re.compile(
    r"\s*(?:destination prefix|ziel-?pr\S{1,3}fix|pr\S{1,2}fixe de (?:la )?destination|prefijo de destino)\s*:",
    re.I,
)
"""The first label of a route that netsh prints as a list."""
_OF_INTERFACE = re.compile(
    r"\s*(?:ifluid|advertise default route|ignore default routes|advertised router lifetime|router discovery"
    r"|neighbor discovery|standardroute ank\S+|standardrouten ignorieren)\s*:", re.I)  # fmt: skip
"""Labels that no other output has."""
_STATE = re.compile(r"^[^:.\uff1a]*isatap[^:.\uff1a]*[:\uff1a]\s*\S", re.IGNORECASE)
_ADDRESS = r"(?:[0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*(?:%\w+)?)"
_SERVER = re.compile(r"^\s*[^\s:][^:]{1,40}?\s?[:\uff1a]\s+\S+\s*$")
_ADDRESSED = re.compile(rf"^\s*[^\s:][^:]{{1,40}}?\s?[:\uff1a]\s+{_ADDRESS}(?:#53)?\s*$")
_HOP = re.compile(r"^\s*\d{1,2}\s+(?:(?:<?\d+\s*(?:ms|мс|毫秒)|\*)\s+){3}")
_PINGED = re.compile(r"(?:ping|обмен пакетами).*\b32\b", re.IGNORECASE)
_TRACED = re.compile(rf"\[{_ADDRESS}\].*(?<!\d)30(?!\d)|(?<!\d)30(?!\d).*\[{_ADDRESS}\]")
_ROW = {
    "routes": re.compile(r"^\s*\S+\s+\S+\s+\d{1,9}\s+[0-9A-Fa-f:.]+/\d+\s+\d{1,9}\s+\S"),
    "policies": re.compile(r"^\s*\d{1,9}\s+\d{1,9}\s+[0-9A-Fa-f:.]+/\d+$"),
    "interfaces": re.compile(r"^\s*\d{1,9}\s+\d{1,9}\s+\d{3,10}\s+\S+\s+\S"),
    "addresses": re.compile(rf"^\s*(?:[^\s:(]+\s+){{4}}{_ADDRESS}\s*$"),
}
_JOINED = re.compile(r"\s*\d+\s+\d+\s+\S+\s+ff[0-9a-f]{2}::?", re.I)
"""A row of netsh's multicast groups, below the title of an interface."""
_REGISTERED = re.compile(r"^\s*\S+\s+REG_(?:DWORD|SZ|MULTI_SZ|EXPAND_SZ|BINARY)\s")
_TEREDO = ("client", "enterpriseclient", "natawareclient", "default", "disabled", "server")
_PORT = re.compile(r"[:\uff1a]\s+\d{1,5}\s*$")
"""Behind an address in events; nslookup prints none."""
_TEREDO_SERVER = re.compile(r"[^\s:] [^\s:][^:]*[:\uff1a]\s*\S*(?:teredo|\.)\S*")
"""Below the type, its server: a label of two words in most languages."""
_INDEXED = re.compile(r"^\S{2,30} ?\d{1,9} ?[:\uff1a] ?\S")
"""The title of an interface's table of addresses: "Interface 12: Ethernet"."""
_PROPERTY = re.compile(r"^[A-Z][A-Za-z0-9]+ *: ?")
_CODE = re.compile(r"0x[0-9a-f]{1,8}")
_ERROR = re.compile(
    r"^(?!Ereignis-ID)(?:[A-Z][a-z]+-[A-Z]\w+) ?: |^\s*\+ (?:CategoryInfo|FullyQualifiedErrorId)"
)


class Shape(NamedTuple):
    """``fresh``: an output begins here, whatever was before."""

    kind: str
    fresh: bool = False


UNKNOWN = Shape("")


def shape_at(lines: Sequence[str], number: int) -> Shape:
    """What the line looks like, with the few below it."""
    line = lines[number]
    if (found := _first_words(line, lines[number + 1] if number + 1 < len(lines) else "")) is not None:
        return found
    below = lines[number + 1 : number + MAX_LOOK]
    if DOTTED.search(line) and (":" in line or "\uff1a" in line):
        return Shape("ipconfig")
    after = below[0] if below else ""
    if DELIMITED.fullmatch(line) or MARKDOWN_RULE.fullmatch(after):
        return Shape("powershell")
    if after and RULE.match(after):
        return _ruled(line, after, below[1:])
    if line.endswith((":", "\uff1a")):
        return _header(below)
    if _REGISTERED.search(line):
        return Shape("reg")
    for kind, pattern in _ROW.items():
        if kind != "addresses" and pattern.match(line) and not _on_link(after):
            return Shape(kind)
    return _setting(line, after, below)


def _first_words(line: str, after: str) -> Shape | None:
    """By words that Windows translates nowhere, or that stand at the beginning."""
    start = line.lstrip()[:24]
    for words, kind in _WORDS:
        if start.startswith(words):
            return Shape(kind, fresh=kind == "certutil")
    if line in ("Computer", "User") and after[:9].lower() == "software\\":
        return Shape("reg")
    if line[-1:] in _QUOTES and _QUOTED.search(line) and _OF_CARD.search(after):
        return Shape("ipv4", fresh=True)
    lower = line.lower() if len(line) < 100 else ""
    if "windows" in lower and "ip" in lower and ":" not in line and _CONFIGURATION.search(lower):
        return Shape("ipconfig", fresh=True)
    if "30" in line and "[" in line and _TRACED.search(line):
        return Shape("tracert", fresh=True)
    if "32" in line and _PINGED.search(line):
        return Shape("ping", fresh=True)
    return Shape("tracert") if "s" in line and _HOP.match(line) else None


_WORDS = (
    ("HKEY_", "reg"), ("HKLM\\", "reg"),
    ("SERVICE_NAME", "sc"), ("[SC] ", "sc"), ("*** ", "nslookup"), ("DNS request timed", "nslookup"),
    ("Query result:", "dnscmd"), ("Query results:", "dnscmd"), ("Reply from ", "ping"), ("Antwort von ", "ping"),
    ("====================", "route"), ("Microsoft Windows [Vers", "ver"), ("Leap Indicator", "w32tm"),
    ("================ ", "certutil"), ("Current LogonId is", "klist"), ("RSOP ", "gpresult"),
    ("COMPUTER SETTINGS", "gpresult"), ("COMPUTEREINSTELLUNGEN", "gpresult"), ("PARAMÈTRES DE L'ORD", "gpresult"),
    ("CONFIGURACIÓN DE EQUIPO", "gpresult"), ("The following GPOs were ", "gpresult"),
    ("Folgende herausgefilter", "gpresult"),
    ("Listen on ipv", "unjudged"),
    ("Microsoft (R) Windows (R", "gpresult"), ("KeyName: ", "gpresult"), ("#Version: 1.", "pfirewall"),
)  # fmt: skip
_QUOTED = re.compile(r"[\"“«»].{1,80}[\"”»]\s*$")
"""The title of an interface's IPv4 configuration: its name in quotes."""
_QUOTES, _OF_CARD = '"”»', re.compile(r"^\s*DHCP\b|:\s+\d{1,3}(?:\.\d{1,3}){3}\s*$", re.I)
_CONFIGURATION = re.compile(r"windows.{0,4}ip|ip.{0,12}windows|ip.*(?:config|конфиг)|(?:config|конфиг).*ip")


def _on_link(after: str) -> bool:
    """A row of ``route print`` has its gateway on the next line when the prefix is long."""
    return bool(after) and after[0] == " " and len(after) - len(after.lstrip()) > 20


def _header(below: Sequence[str]) -> Shape:
    """An adapter's, or nobody's. The first label may fill its dots' place."""
    dotted = any(DOTTED.search(line) and ":" in line.replace("\uff1a", ":") for line in below[:4])
    return Shape("ipconfig") if dotted else UNKNOWN


def _ruled(line: str, rule: str, below: Sequence[str]) -> Shape:
    """A heading, or the names of columns, with a rule below."""
    first = below[0] if below else ""
    if _of_powershell(line, rule):
        return Shape("powershell")
    if DOTTED.search(first):
        return Shape("displaydns")
    if "teredo" in line.lower():
        return Shape("teredo", fresh=True)
    if line.lower().startswith("clat") or " clat" in line.lower():
        return Shape("clat", fresh=True)
    if any("https://" in one for one in below):
        return Shape("iphttps", fresh=True)
    if (
        LUID.search(first)
        or first.lower().lstrip().startswith(("ifluid", "ifindex"))
        or any(map(_OF_INTERFACE.match, below))
    ):
        return Shape("interface", fresh=True)
    for kind, pattern in _ROW.items():
        if pattern.match(first):
            return Shape(kind, fresh=kind != "addresses")
    if _JOINED.match(first):
        return Shape("addresses")
    if (":" in line and ":" in first) or "profil" in line.lower():
        return Shape("advfirewall")  # of a group that may be DirectAccess
    if any("directaccess" in one.lower() or "dnssec" in one.lower() for one in below):
        return Shape("namespace")
    return UNKNOWN


def _of_powershell(names: str, rule: str) -> bool:
    """Each dash below a letter of a property's name, and nowhere else."""
    columns = [(match.start(), match.end()) for match in re.finditer("-+", rule)]
    words = names.split()
    if len(words) == len(columns) > 1 and all(word.lower() in KNOWN for word in words):
        return True
    if len(names) != columns[-1][1] or any(not _NAME.fullmatch(names[a:b]) for a, b in columns):
        return False
    return all(names[a:b].isspace() for (_, a), (b, _) in pairwise(columns))


_NAME = re.compile(r"[\w()%.-]+")


def _setting(line: str, after: str, below: Sequence[str]) -> Shape:
    """A line ``label : value``."""
    if ":" not in line and "\uff1a" not in line:
        return UNKNOWN
    if _DESTINATION.match(line) and not line[0].isspace() and not _aligned(line, after):
        return Shape("routes")
    if _INDEXED.match(line) and any(RULE.match(one) for one in below[:3]):
        return Shape("addresses")
    if _is_state(line) or means(line.replace("\uff1a", ":").partition(":")[0], "router-name"):
        return Shape("isatap")
    if _server(line, after) and not _PORT.search("".join(below[1:2])):
        return Shape("nslookup")
    if LUID.search(line) or _OF_INTERFACE.match(line):
        return Shape("interface", fresh=True)
    value = line.partition(":")[2].strip().lower()
    if _CODE.fullmatch(value) and ("error code" in line.lower() or any("https://" in one for one in below)):
        return Shape("iphttps", fresh=True)
    role = value in ("client", "server") and "https://" in after
    if role or (line.lstrip()[:3].lower() == "url" and value.startswith("https://")):
        return Shape("iphttps", fresh=role)
    if "Microsoft Windows " in after and re.match(r"[^:]{3,30}:\s{3,}", line):
        return Shape("systeminfo", fresh=True)
    states = {one.partition(":")[2].strip().lower() for one in below}
    if (
        value.partition(" ")[0] in _TEREDO
        and not line.lstrip().startswith("ClientType")
        and (_TEREDO_SERVER.search(after) or states & {"offline", "dormant", "qualified"})
    ):
        return Shape("teredo", fresh=True)
    if _ERROR.match(line):
        return Shape("powershell")
    if _PROPERTY.match(line) and (_PROPERTY.match(after) or not after) and _aligned(line, after):
        return Shape("powershell")
    return _header(below[:1])


def _is_state(line: str) -> bool:
    """A few words and a state; a sentence is none."""
    label, _, value = line.replace("\uff1a", ":").partition(":")
    return _STATE.match(line) is not None and len(label.split()) < 6 and len(value.split()) < 5


def _server(line: str, after: str) -> bool:
    """nslookup's own server: a name, and below it its address."""
    pair = _SERVER.match(line) is not None and _ADDRESSED.match(after) is not None
    return pair and not DOTTED.search(after) and not _aligned(line, after)


def _aligned(line: str, after: str) -> bool:
    colon = line.find(":")
    return " :" in line and (not after or after.find(":") == colon)
