"""Output of reg, sc, route print, systeminfo, ver and w32tm -> facts."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Network

from manageout.doctor.console.paths import unjudged
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import CLOCK_EVENTS, Facts, NrptRule, Seen, WindowsRoute
from manageout.doctor.pasted.segments import Part
from manageout.windows.policies import NRPT, TRANSITION
from manageout.windows.text import ipv6_address

MAX_VALUES = 5000
"""Of a registry export."""
_VALUE = re.compile(
    r"^\s*(\S.*?)\s+REG_(DWORD|QWORD|SZ|EXPAND_SZ|MULTI_SZ|BINARY|NONE)(?:_BIG_ENDIAN)?(?:\s+(.*))?$"
)
_HIVES = ("hkey_local_machine\\", "hklm\\", "computer\\hkey_local_machine\\", "hkey_current_user\\", "hkcu\\")
_DNS = r"system\currentcontrolset\services\dns\parameters"
_NRPT_POLICY = NRPT.lower()
_SERVICES = "system\\currentcontrolset\\services\\"
_STATE_WORDS = ("default", "automatic", "enabled", "disabled")
"""Of MSFT_NetISATAPConfiguration, by its numbers."""
_DISABLED = 4
"""Start of a service that nobody may start."""


def registry(facts: Facts, part: Part) -> bool:
    """``reg query``: keys at the left, below each its values, of all types. The hive and a control set's number go."""
    key, known, rules = "", False, set()
    for place, name, kind, text in _parsed(part.lines):
        facts.registry[place, name] = Seen(_content(kind, text), f"{name} = {text}")
        known = True
    for line in part.lines:
        if line[:4].upper() in ("HKEY", "HKLM", "HKCU") or line.lower().startswith("computer\\hkey"):
            key = _key(line)
            known = True
            if key == _NRPT_POLICY or key.startswith(_NRPT_POLICY + "\\"):
                rules.add(key)
        elif (match := _VALUE.match(line)) and len(facts.registry) < MAX_VALUES:
            value = _content(match[2], (match[3] or "").strip())
            place = key or _key(_typed_key(part.command)) or PLACES.get(match[1].lower(), "")
            facts.registry[place, match[1].lower()] = Seen(value, line.strip())
            known = True
    _meaning(facts)
    known |= _absent(facts, part, known)
    if rules:
        held = len(rules - {_NRPT_POLICY})
        facts.nrpt_policy = Seen(held, f"reg query: {held} rules below {_NRPT_POLICY.rpartition(chr(92))[2]}")
        _name_rules(facts, rules)
    return known


def _parsed(lines: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """``LGPO /parse``: key, name, and type with value, each in a line of its own."""
    for place, name, value in zip(lines, lines[1:], lines[2:], strict=False):
        match = _LISTED.match(value) if place[:9].lower() == "software\\" else None
        if match is not None:
            yield _key(place), name.strip().lower(), match[1].upper(), match[2].strip()


_LISTED = re.compile(r"(DWORD|SZ|EXSZ|MULTISZ):(.*)$")


def _absent(facts: Facts, part: Part, known: bool) -> bool:
    """What was asked for and is not there: by reg's own words, by a list without it, or by a filter that let nothing
    through."""
    key, first = _key(_typed_key(part.command)), next(iter(part.lines), "")
    asked, sifted = _WANTED.search(part.command), "|" in part.command
    gone = _ABSENT.match(first) is not None and not _REFUSED.search(first)
    empty = not first and (sifted or not asked)
    if not key or not (gone or empty or (known and not asked)):
        return False
    if gone or asked:
        name = (asked[1] or asked[2]) if asked else ""
        facts.lack(key, name, f"{part.command}: {first.strip() or 'nothing'}")
    elif "/" not in part.command and not any(map(_CUT.search, part.lines)):
        facts.lack(key, "*", f"{part.command}: does not list it")
    return gone or not first


_WANTED = re.compile(
    r"/v\s+[\"']?([\w-]{1,100})|\|\s*find(?:str)?\b(?:\s+/\w+)*\s+[\"']?([\w-]{4,100})", re.I
)
_CUT = re.compile(r"\.\.\.|\[|…|^\s*<")
"""What people write where they have left lines out."""
PLACES = {
    "disablenrptforadapterregistration": rf"{_SERVICES}dnscache\parameters",
    "disabledcomponents": rf"{_SERVICES}tcpip6\parameters",
    "disableparallelaandaaaa": rf"{_SERVICES}dnscache\parameters",
    "enableglobalqueryblocklist": _DNS,
    "globalqueryblocklist": _DNS,
}
"""Keys of values that no other key has, for a row that stands alone."""
_ABSENT = re.compile(
    r"(?:reg(?:\.exe)?\s?: )?(?:ERR|FEHL|ОШ|FOUT|BŁ|CHYB|错误|エラー)\w*\s?[:\uff1a] \S", re.I
)
"""What reg says of a key or value that is not there, which is an answer."""
_REFUSED = re.compile(
    r"denied|verweigert|refus|denegado|negato|syntax|sintaxis|ungültig|invalid|network path|netzwerkpfad",
    re.I,
)


def _typed_key(command: str) -> str:
    found = re.search(r'query\s+(?:"([^"]+)"|(\S+))', command, re.IGNORECASE)
    return (found[1] or found[2]) if found else ""


def _key(text: str) -> str:
    lower = text.strip().strip("[]").lower()
    for hive in _HIVES:
        lower = lower.removeprefix(hive)
    return re.sub(r"^system\\controlset\d{3}\\", r"system\\currentcontrolset\\", lower).rstrip("\\")


def _content(kind: str, text: str) -> object:
    if kind in ("DWORD", "QWORD"):
        try:
            return int(text.split()[0], 0) if text else 0
        except ValueError:
            return text
    return text.split("\\0") if kind == "MULTI_SZ" else text


def _meaning(facts: Facts) -> None:
    """What single values say: group policy of ISATAP, the block list, services that may not start, the build."""
    isatap_policy(facts)
    enabled, listed = (
        facts.value(_DNS, name) for name in ("EnableGlobalQueryBlockList", "GlobalQueryBlockList")
    )
    if enabled is not None and enabled.value == 0:
        facts.block_list = Seen((), enabled.quote)
    elif listed is not None and isinstance(listed.value, list):
        facts.block_list = Seen(tuple(str(name).lower() for name in listed.value if name), listed.quote)
    for name in ("iphlpsvc", "dnscache"):
        start = facts.value(_SERVICES + name, "Start")
        if start is not None and start.value == _DISABLED:
            facts.services.setdefault(name, Seen(False, f"{name}: {start.quote}"))
    build = facts.value(r"software\microsoft\windows nt\currentversion", "CurrentBuildNumber")
    if build is not None and str(build.value).isdecimal() and len(str(build.value)) < 7:
        facts.build = int(str(build.value))


def isatap_policy(facts: Facts) -> None:
    """What group policy says of ISATAP in the registry's values."""
    if state := facts.value(TRANSITION, "ISATAP_State"):
        facts.isatap_policy_state = Seen(str(state.value).lower(), state.quote)
    own = facts.value(rf"{_SERVICES}iphlpsvc\config", "IsatapState")
    if facts.isatap_state is None and own is not None and own.value in (0, 1, 2, 3):
        facts.isatap_state = Seen(_STATE_WORDS[int(str(own.value))], own.quote)
    if router := facts.value(TRANSITION, "ISATAP_RouterName"):
        facts.isatap_policy_router = Seen(str(router.value), router.quote)


def _name_rules(facts: Facts, keys: set[str]) -> None:
    """The rules of the policy's key, where nothing better shows those in effect."""
    found = []
    for key in sorted(keys)[:MAX_ROWS]:
        names, servers = facts.value(key, "Name"), facts.value(key, "DirectAccessDNSServers")
        for name in names.value if names is not None and isinstance(names.value, list) else ():
            listed = str(servers.value) if servers is not None else ""
            hosts = tuple(one.strip() for one in listed.split(";") if one.strip())
            quote = servers.quote if servers is not None else names.quote if names is not None else name
            found.append(NrptRule(str(name), hosts, f"{name}: {quote}", direct=servers is not None))
    if found and facts.nrpt is None:
        facts.nrpt = found[:MAX_ROWS]


def services(facts: Facts, part: Part) -> bool:
    """``sc query``, ``sc queryex``, ``sc qc``: states and start types are not translated."""
    name, known = _asked_service(part.command), False
    for line in part.lines:
        word = line.partition(":")[2].split()
        if line.lstrip().upper().startswith("SERVICE_NAME") and word:
            name = word[0].lower()
        elif name and len(word) > 1 and word[0].isdecimal() and word[1] in _STATES:
            facts.services[name] = Seen(word[1] == "RUNNING", f"{name}: {line.strip()}")
            known = True
        elif name and len(word) > 1 and word[0] == "4" and word[1].startswith("DISABLED"):
            facts.services.setdefault(name, Seen(False, f"{name}: {line.strip()}"))
            known = True
        elif name and len(word) > 1 and word[0].isdecimal():
            known = True
    return known


_STATES = (
    "RUNNING",
    "STOPPED",
    "START_PENDING",
    "STOP_PENDING",
    "PAUSED",
    "PAUSE_PENDING",
    "CONTINUE_PENDING",
)


def _asked_service(command: str) -> str:
    words = command.split()
    return words[-1].lower() if len(words) > 2 else ""


def routes(facts: Facts, part: Part) -> bool:
    """``route print``: IPv6 routes. Which are published it does not show, so those of netsh count more.

    A long prefix has its gateway on the next line.
    """
    found = list(_routes(part.lines))
    facts.active_routes = found or facts.active_routes
    for line in part.lines:
        if match := _DEFAULT.match(line):
            where = match[2] or ""
            if not where and any(hop == IPv4Address(match[1]) for _, hop in facts.gateways):
                continue  # a persistent one, which is active
            if len(facts.gateways) < MAX_ROWS:
                facts.gateways[where, IPv4Address(match[1])] = line.strip()
    return bool(found) or any(line.startswith("=====") for line in part.lines)


def _routes(lines: list[str]) -> Iterator[WindowsRoute]:
    for number, line in enumerate(lines[: 20 * MAX_ROWS]):
        if match := _ROUTE.match(line):
            text = line.strip()
            via = (match[3] or "").strip()
            if not via and number + 1 < len(lines) and _ROUTE.match(lines[number + 1]) is None:
                via = lines[number + 1].strip()
                text = f"{text} {via}"
            try:
                prefix = IPv6Network(match[2], strict=False)
            except ValueError:
                continue
            if int(match[1]):
                yield WindowsRoute(prefix, int(match[1]), ipv6_address(via), False, text)


_FOUR = r"((?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!\s)|(?=\s))){4})"
_DEFAULT = re.compile(rf"^\s*0\.0\.0\.0\s+0\.0\.0\.0\s+{_FOUR}\s+(?:{_FOUR}\s+)?\S", re.ASCII)
"""A default route of IPv4: by its next hop, of the card with an address; a persistent one tells no card."""
_ROUTE = re.compile(r"^\s*(\d{1,9})\s+\d{1,10}\s+([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/\d{1,3})(?:\s+(\S.*))?$")


def build(facts: Facts, part: Part) -> bool:
    """``systeminfo``, ``ver``: Windows' version. Its numbers are the same in every language."""
    for line in part.lines:
        if facts.edition is None and (match := EDITION.search(line)):
            facts.edition = Seen(match[1], line.strip())
        if match := _VERSION.search(line):
            facts.build = int(match[1])
            return True
    return facts.edition is not None


EDITION = re.compile(r"[:\uff1a]\s*\S{4,12} (Windows (?:\d{1,2}(?:\.\d)?|Vista) \S.{1,40}?)\s*$")
"""The product's name in systeminfo, behind a label in any language."""


_VERSION = re.compile(r"(?<![\d.])(?:10\.0|6\.[0-3])\.(\d{4,5})(?!\d)")


def clock(facts: Facts, part: Part) -> bool:
    """``w32tm /stripchart``: by how much the other clock is ahead of this one; ``/query /status``: whether it follows
    any."""
    for line in part.lines:
        if found := clock_error(line, f"the other's: {line.strip()}"):
            facts.clock_error = found
            return True
    free = next((line.strip() for line in part.lines if _FREE.search(line)), "")
    if free:
        facts.clock_free = Seen(True, free)
    return bool(free) or unjudged(facts, part)


def klist(facts: Facts, part: Part) -> bool:
    """``klist``: tickets say little; that the clocks differ is read from any output."""
    return any(mark in line for line in part.lines for mark in CLOCK_EVENTS) or unjudged(facts, part)


def clock_error(line: str, whose: str) -> Seen[float] | None:
    """Seconds by which this clock is ahead of the other, when ``line`` is a row of ``w32tm /stripchart``."""
    match = _OFFSET.search(line)
    if match is None:
        return None
    hours, minutes, seconds = (float(match[name] or 0) for name in ("hours", "minutes", "seconds"))
    ahead = hours * 3600 + minutes * 60 + seconds
    ahead = ahead if match["sign"] == "-" else -ahead
    way = "ahead of" if ahead > 0 else "behind"
    return Seen(ahead, f"the clock is {abs(ahead):.0f} s {way} {whose}")


_FREE = re.compile(r"Local CMOS Clock|Free-running System Clock|^[^:]+: 3\(", re.I)
"""The leap indicator's value 3: not synchronised (RFC 5905 7.3)."""
_OFFSET = re.compile(
    r"(?:, |\bo:|\bNTP: )(?P<sign>[+-])(?:(?P<hours>\d{1,6}):(?P<minutes>\d\d):)?(?P<seconds>\d{1,12}\.\d{1,9})s"
)
"""Rows of ``/stripchart``, with and without ``/dataonly``, and of ``/monitor``; long offsets have hours."""


def policies(facts: Facts, part: Part) -> bool:
    """``gpresult /z``: the registry values of administrative templates, each as the list of its bytes."""
    key, known = "", False
    for line in part.lines:
        value = line.partition(":")[2].strip()
        if value.lower().startswith("software\\"):
            key = value
        elif key and _BYTES.fullmatch(value):
            data = bytes(int(word) & 0xFF for word in value.split(","))
            place, _, name = _key(key).rpartition("\\")
            content: object = (
                int.from_bytes(data, "little") if len(data) == 4 else data.decode("utf-16-le", "replace")
            )
            content = content.rstrip("\0") if isinstance(content, str) else content
            facts.registry[place, name] = Seen(content, f"gpresult: {name} = {content}")
            known, key = True, ""
    _meaning(facts)
    return known


_BYTES = re.compile(r"\d{1,3}(?:, \d{1,3}){3,2000}")


def hostname(facts: Facts, part: Part) -> bool:
    """Of which machine it is has been seen before this."""
    return len(part.lines) == 1
