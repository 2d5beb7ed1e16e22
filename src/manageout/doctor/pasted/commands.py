"""A typed command -> which output stands below it. Pure, by its words alone."""

import re

from manageout.words import toml_of

MAX_COMMAND = 400
"""Characters of a command that are looked at and kept."""
_DATA = toml_of("manageout.doctor.pasted", "commands.toml")
TITLES: dict[str, str] = _DATA["titles"]
"""What an output of a kind is called, where that is not the kind's name."""
NO_MACHINES = frozenset(_DATA["no-machines"])
"""Headings that look like names of machines, lower case."""
_CMDLET = re.compile(r"\(?([A-Za-z]{3,12})-([A-Z]\w{2,60})\)?", re.ASCII)
_NOISE = re.compile(
    r"^[\s#>$*=~_\-`'\"(\[]*(?:\d{1,2}[.)]\s+)?"
    r"(?:(?:output|result|ausgabe|sortie|salida) (?:of|von|de) |command: ?)?[`'\"]?",
    re.IGNORECASE,
)
_ENDS = " \t:=~_`'\")]*"
_PLACE = re.compile(r"[\w.*-]*[.:\d][\w.:%*-]*\.?|isatap|localhost|wpad", re.IGNORECASE)
_ALONE = {name: re.compile(pattern) for name, pattern in _DATA["alone"].items()}
"""What may stand behind a command that stands alone in a line, for prose to be none."""


def alone(line: str) -> str:
    """The command in a line without a prompt, as people put it above its output: alone, or as a heading; else ""."""
    first = line.split(None, 1)[0] if line.strip() else ""
    if not first or len(line) > MAX_COMMAND:
        return ""
    if first[0] in "#>$*=~_-`'\"([0123456789Ooracs" or first.lower() in ("output", "command:"):
        line = line[_NOISE.match(line).end() :]  # type: ignore[union-attr]
    line = line.strip().rstrip(_ENDS) if line else ""
    word, _, rest = line.partition(" ")
    name = word.lower().removesuffix(".exe")
    if (match := _CMDLET.fullmatch(word)) and match[1].lower() in _DATA["verbs"]:
        return line if _looks_typed(rest) else ""
    pattern = _ALONE.get(name)
    if pattern is not None:
        return line if pattern.fullmatch(line[len(word) :].partition(" | ")[0].rstrip()) else ""
    if name in ("nslookup", "ping", "tracert", "pathping"):
        words = [one for one in rest.split() if one[0] not in "-/"]
        placed = bool(words) and all(map(_PLACE.fullmatch, words))
        return line if placed or (name == "nslookup" and not words) else ""
    return ""


def _looks_typed(rest: str) -> bool:
    """Parameters, a pipe or one word behind a cmdlet, not a sentence."""
    words = rest.split()
    return len(words) < 2 or words[0][0] in "-|\"'($@{" or words[1][0] in "-|"


def elsewhere(command: str) -> tuple[str, str]:
    """The machine on which a command ran, and what ran there: winrs, psexec, Invoke-Command, or an option of it."""
    if match := _THERE.match(command):
        return match[1] or match[2] or match[3], match[4].strip(" {}'\"")
    match = _OPTION.match(command)
    return (next(filter(None, match.groups())), command) if match else ("", command)


_THERE = re.compile(
    r"(?:winrs(?:\.exe)?\s+(?:-|/)r(?:emote)?:(\S+)|psexec\d*(?:\.exe)?\s+\\\\([^\s,@*]+)(?:\s+-\w+)*"
    r"|(?:invoke-command|icm)\s+(?:-\w+\s+){0,1}([\w.-]+)\s+(?:-scriptblock\s+)?\{)\s+(.*)$",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?:sc(?:\.exe)?|reg\s+query)\s+\\\\([\w.-]+)[\s\\]|netsh\s+-r\s+([\w.-]+)\s|systeminfo\s+/s\s+([\w.-]+)",
    re.IGNORECASE,
)


def kind_of(command: str) -> str:
    """What tells its output from those of others: ``netsh`` for any other of netsh, ``powershell`` for any cmdlet,
    ``opened`` for what opens a share or a port at an IPv4 address; "" for any other command, and for none."""
    words = command.lower().replace('"', " ").split()
    while words and words[0] in ("sudo", "cmd", "/c", "&", "cmd.exe", "start", "/wait"):
        words = words[1:]
    if not words:
        return ""
    name = words[0].rpartition("\\")[2].removesuffix(".exe")
    if name == "netsh" and words[1:2] == ["http"] and words[-1:] != ["proxy"] and "sslcert" in words:
        return "sslcert"
    if name == "netsh":
        return _netsh(words[1:])
    if name == "ipconfig":
        return "displaydns" if any(word.startswith("/displayd") for word in words) else "ipconfig"
    if name in _DATA["named"]:
        return name
    if _OPENED.match(command):
        return "opened"
    if _FETCHED.match(command):
        return "fetched"
    found = _CMDLET.match(command.lstrip("(&$ "))
    return "powershell" if (found and found[1].lower() in _DATA["verbs"]) or _SHORT.match(command) else ""


_OPENED = re.compile(
    r"(?:net|dir|pushd|x?copy|robocopy|type|telnet|curl|mstsc)\b.*?(?:\\\\|[\s/:@])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",
    re.I,
)
"""What opens something at an IPv4 address."""
_FETCHED = re.compile(
    r"[($ ]*(?:\w+\s*=\s*)?(?:curl|wget|iwr|irm|invoke-(?:webrequest|restmethod))(?:\.exe)?\b.*https://", re.I
)
"""What gets a page."""
_SHORT = re.compile(
    r"(?:\$\w+\s*=\s*|\()?\s*(?:Get|Resolve|Test)-\w+|(?:dir|ls|gci)\b.{0,20}\bcert:|gcim\b|gwmi\b|gpv?\b|gsv\b|gip\b|tnc\b|\$\w+\s*(?:\||$)",
    re.I,
)


def _netsh(words: list[str]) -> str:
    """Words may be shortened as long as they are clear."""
    while len(words) > 1 and words[0] in ("-r", "-c", "-u", "-p", "-a"):
        words = words[2:]  # each has a value
    if not words:
        return "netsh"
    if _short(words[0], "namespace", 2):
        return "namespace"
    if _short(words[0], "advfirewall", 2):
        return "advfirewall"
    if not _short(words[0], "interface", 3) or len(words) < 2:
        return "netsh"
    context, rest = words[1], words[2:]
    if context in ("ipv6", "ipv4", "ip") and rest and rest[0] in _DATA["netsh"]:
        return str(_DATA["netsh"][rest[0]])  # the old form: netsh interface ipv6 isatap show state
    for name, kind in _DATA["netsh"].items():
        if _short(context, name, 3):
            return str(kind)
    if context == "portproxy" or (
        len(rest) > 1 and (_short(rest[1], "joins", 3) or _short(rest[1], "dnsservers", 3))
    ):
        return "unjudged"
    if context in ("ipv4", "ip") and len(rest) > 1:
        word = rest[1]
        if _short(word, "addresses", 2) or _short(word, "config", 4):
            return "ipv4"
        return "addresses" if _short(word, "ipaddresses", 3) else "netsh"
    if context == "ipv6" and len(rest) > 1:
        return _ipv6(rest[1], rest[2:])
    return "netsh"


def _ipv6(word: str, rest: list[str]) -> str:
    if word == "interfaces" or (_short(word, "interfaces", 3) and not _an_interface(rest)):
        return "interface" if any(one.startswith("level") for one in rest) else "interfaces"
    if _short(word, "interface", 3):
        return "interface"
    if _short(word, "addresses", 2):
        return "addresses"
    if _short(word, "route", 2) or word == "routes":
        return "routes"
    return "policies" if _short(word, "prefixpolicies", 2) or word == "prefixpolicy" else "netsh"


def _an_interface(rest: list[str]) -> bool:
    return any(not one.startswith(("level", "store", "rr", "|")) for one in rest[:1])


def _short(word: str, whole: str, least: int) -> bool:
    return len(word) >= least and whole.startswith(word)
