"""What PowerShell's cmdlets print in a text, gathered for each machine, then read at once.

A list may come in several outputs, the filters of a firewall rule come behind it, and one output may be of several
machines (``PSComputerName``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from manageout.doctor.facts import EVENTS, Facts, Lookup, Seen
from manageout.doctor.powershell import cmdlets, registry
from manageout.doctor.powershell import read as read_cmdlets
from manageout.doctor.powershell.shapes import DATA
from manageout.doctor.read.sections import MAX_ITEMS, MAX_ROWS, Row

UNCUT = "$FormatEnumerationLimit = -1, then the command again with | Format-List"
"""How PowerShell prints lists whole."""
_OF_SERVERS = re.compile(r"\bget-(?:remoteaccess|daserver)\b", re.I)
_PARTIAL = re.compile(
    r"-destinationprefix|-nexthop|-first\b|-last\b|\|\s*(?:\?|where)|select-string|findstr", re.I
)
_UNRESOLVED = re.compile(r"Resolve-DnsName\s?: ([\w.-]{1,255}) ?: (\S.{0,200})")
_ASKED = re.compile(r"\bresolve-dnsname\s+(?:-name\s+)?[\"']?([\w.-]{1,255})", re.I)
_FAILED = re.compile(r"FullyQualifiedErrorId\s*:\s*([^,]{1,100}?)\s*(?:,\s*([\w.-]{1,100}))?$")
_TERM = re.compile(r"CategoryInfo\s*:\s*ObjectNotFound:\s*\(([\w -]{1,80}):String\)")
_RECORD = re.compile(r"CategoryInfo\s*:\s*ObjectNotFound:\s*\(([\w-]{1,63}):root/", re.I)
_ZONE = re.compile(r"record in ([\w.-]{1,255}) zone")
_WORDS = ("InterfaceAlias", "InterfaceDescription", "DisplayName", "InterfaceStatus", "Message")
_OF_INTERFACES = ("adapters", "interfaces", "suffixes")
"""Sections whose rows say something of one interface."""
_WHICH = ("ifIndex", "InterfaceIndex", "InterfaceAlias", "Name", "InterfaceDescription")
_TITLES = (("adapters", "Name"), ("services", "Name"), ("services", "DisplayName"))
_WHOLE_STORE = re.compile(r"cert:\\*localmachine\\+my\\*[\"']?\s*(?:$|\|\s*(?:f[lt]|format|select)\b)", re.I)
_CERTIFICATES, _OWN_STORE = re.compile(r"\bcert:", re.I), re.compile(r"localmachine\\+my\b", re.I)
_POLICY = re.compile(r"-(?:name|displayname)\s+[\"']?([^\"'|-][^\"'|]{0,100}?)(?:[\"'|]|\s+-|\s*$)", re.I)
_ON_SERVERS = {"remoteAccess", "daServer", "locationPage", "health", "natTransition", "management"}
"""Sections of cmdlets that only a DirectAccess server has."""
_NOTHING = {
    "get-dnsclientnrptpolicy": "nrpt",
    "get-netipsecmainmodesa": "associations",
    "get-daconnectionstatus": "connection",
    "get-netiphttpsconfiguration": "iphttpsConfiguration",
}
"""Cmdlets that say something by printing nothing -> section."""


_INDEX = re.compile(r"-(?:interfaceindex|ifindex)\s+(\d{1,9})\b", re.I)
_ALIAS = re.compile(
    r"-(?:interfacealias|ifalias|name)\s+[\"']?([^\"'|*\s-][^\"'|*]{0,80}?)(?:[\"'|*]|\s+-|\s*$)", re.I
)


def _asked_for(section: str, command: str) -> Row:
    """The interface that the command names, where the properties by which it is known were not printed."""
    found: Row = {}
    if match := _INDEX.search(command):
        found["ifIndex" if section in ("adapters", "interfaces") else "InterfaceIndex"] = int(match[1])
    if match := _ALIAS.search(command):
        found["Name" if section == "adapters" else "InterfaceAlias"] = match[1].strip()
    return found


class Gathered:
    """``machine_of``: the facts of a machine by its name."""

    def __init__(self, machine_of: Callable[[str], Facts]) -> None:
        self._machine_of = machine_of
        self._machines: dict[int, _Machine] = {}

    def part(self, facts: Facts, lines: Sequence[str], command: str) -> bool:
        """Add an output; whether anything in it was known. ``facts``: of the machine that printed it."""
        own = self._of(facts)
        if not any(lines):
            asked = cmdlets.cmdlet(command)
            if _WHOLE_STORE.search(command):
                facts.nothing["cert:my"] = f"{command.strip()}: nothing"
                facts.held, facts.understood = {}, True
                return True
            registry.absent(facts, lines, command, ())
            section = _NOTHING.get(asked)
            if section is not None:
                facts.nothing[asked] = f"{command.strip()}: nothing"
            if section is not None:
                own.rows.setdefault(section, [])
                facts.understood = True
            return section is not None
        found, strange = cmdlets.sorted_out(lines, command)
        if (name := _denied(found, command)) is not None:
            own.rows.setdefault("resolved", []).append({"Name": name, "Error": "no record of that type"})
        if found:
            facts.nothing.pop(cmdlets.cmdlet(command), None)  # the later output counts
        begun: set[tuple[int, str]] = set()
        for one in found:
            name = str(one.row.get("PSComputerName") or "")
            machine = self._of(self._machine_of(name)) if name.lower() not in ("", "localhost", ".") else own
            machine.facts.understood = True
            if (key := (id(machine), one.section)) not in begun:
                begun.add(key)
                machine.begin(one.section, command)
            machine.add(one, command)
        for words in strange if found else ():
            own.tell(words)
        failed = registry.absent(facts, lines, command, found) or own.failed(lines)
        if not failed and _OF_SERVERS.search(command):
            own.server = True  # also when its properties are printed bare
        facts.understood |= failed
        return failed or bool(found)

    def into_facts(self) -> None:
        """Add it all to the facts of its machines."""
        for machine in self._machines.values():
            machine.finish()

    def _of(self, facts: Facts) -> _Machine:
        return self._machines.setdefault(id(facts), _Machine(facts))


def _denied(found: Sequence[cmdlets.Found], command: str) -> str | None:
    """The name that Resolve-DnsName was asked, when all that it got is the zone's own record (RFC 2308 2.2)."""
    asked = _ASKED.search(command)
    if asked is None or not found or any(one.section != "resolved" for one in found):
        return None
    authority = all(str(one.row.get("Section")) in ("Authority", "3") for one in found)
    return asked[1] if authority else None


class _Machine:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.rows: dict[str, list[Row]] = {}
        self._commands: set[tuple[str, str]] = set()
        """(section, command): an output that comes again takes the place of the first."""
        self._told: list[str] = []
        self.server = False

    def begin(self, section: str, command: str) -> None:
        typed = section, command.strip().lower()
        if typed[1] and typed in self._commands:
            self.rows[section] = []
        self._commands.add(typed)

    def add(self, one: cmdlets.Found, command: str) -> None:
        if one.section == "routes" and _PARTIAL.search(command):
            one = one._replace(section="someRoutes")
        judged = one.section in read_cmdlets.JUDGED
        if "outes" in one.section and one.row.get("DestinationPrefix") in ("0.0.0.0/0", "::/0"):
            self.rows.setdefault("defaults", []).append({**one.row, "Command": command})
        if not judged:
            self.tell(f"{one.cmdlet}: known, nothing in it is judged")
            return
        if one.section in (*_OF_INTERFACES, "routes", "someRoutes", "addresses"):
            named = any(one.row.get(n) for n in _WHICH[2:])
            asked = {} if named else _asked_for(one.section, command)
            one.row.update({key: value for key, value in asked.items() if not one.row.get(key)})
        if one.section in _OF_INTERFACES and not any(one.row.get(name) for name in _WHICH):
            self.tell(f"{one.cmdlet}: not told of which interface: the command again with | Format-List *")
            return
        if one.section == "permissions" and (match := _POLICY.search(command)):
            one.row["Policy"] = match[1].strip()
        if one.section == "store":
            one.row["Of"] = "server" if "sslcertificate" in command.lower() else ""
            one.row["Other"] = _CERTIFICATES.search(command) and not _OWN_STORE.search(command)
            one.row["Whole"] = _WHOLE_STORE.search(command) is not None
        rows = self.rows.setdefault(one.section, [])
        for name in one.cut:
            if name.lower() not in cmdlets.WRITTEN or name in _WORDS or (one.section, name) in _TITLES:
                continue  # nobody judges it, or its beginning will do
            one.row["Cut"] = True
            if not isinstance(one.row[name], list):
                self.tell(f"{one.cmdlet}: {name} is cut: the command again with | Format-List")
                return
            self.tell(f"{one.cmdlet}: the list {name} is cut: {UNCUT}")
        if one.section in DATA["alone"] and rows and not one.row.keys() & rows[-1].keys():
            rows[-1].update(one.row)  # properties of one object, asked for one after the other
        elif len(rows) < MAX_ROWS:
            rows.append(dict(one.row))

    def failed(self, lines: Sequence[str]) -> bool:
        """Errors, by what is translated in none of them: the form of the lines, and the identifiers below."""
        found = False
        for number, line in enumerate(lines):
            if match := _UNRESOLVED.match(line):
                self.rows.setdefault("resolved", []).append({"Name": match[1], "Error": match[2].strip()})
                found = True
            elif (match := _FAILED.search(line)) is None:
                continue
            elif (match[2] or "") == "Get-DnsServerResourceRecord" and "9714" in match[1]:
                self._no_record(lines[max(0, number - 6) : number], match[1])
                found = True
            elif (match[2] or "") == "Get-NetFirewallRule" and "NotFound" in match[1]:
                term = next(filter(None, map(_TERM.search, lines[max(0, number - 3) : number])), None)
                name = term[1] if term else "a name"
                self.facts.nothing[f"rule:{name.lower()}"] = f"Get-NetFirewallRule {name}: not found"
                found = True
            elif (match[2] or "").endswith("ResolveDnsName"):
                for row in self.rows.get("resolved", [])[-1:]:
                    row["Error"] = match[1]  # the same, not translated
            elif not any(mark in line for mark in EVENTS):
                term = next(filter(None, map(_TERM.search, lines[max(0, number - 3) : number])), None)
                self._error(term[1] if term else match[2] or "a command", match[1])
                found = True
        return found

    def _no_record(self, above: Sequence[str], error: str) -> None:
        """The zone's own server does not hold the record: the name is in no language, the zone in English alone."""
        text = " ".join(above)
        term, zone = _RECORD.search(text), _ZONE.search(text)
        name = ".".join(match[1] for match in (term, zone) if match is not None)
        if term is not None and len(self.facts.lookups) < MAX_ITEMS:
            quote = f"Get-DnsServerResourceRecord {name}: {error}"
            self.facts.lookups.append(Lookup(name.lower(), "", (), error, quote))

    def _error(self, name: str, error: str) -> None:
        words = f"{name} failed: {error}"
        if name.lower() == "get-daconnectionstatus" and "CommandNotFound" not in error:
            self.facts.services.setdefault("ncasvc", Seen(False, words))
        else:
            self.tell(words)

    def tell(self, text: str) -> None:
        if text not in self._told and len(self._told) < MAX_ITEMS:
            self._told.append(text)

    def finish(self) -> None:
        read_cmdlets.read(self.facts, self.rows)
        servers = self.server or self.rows.keys() & _ON_SERVERS
        translates = self.facts.dns64 is not None and self.facts.dns64.value
        if self.facts.role == "unknown" and (servers or translates):
            self.facts.role = "server"
        elif self.facts.role == "unknown" and "location" in self.rows:
            self.facts.role = "client"
        if "someRoutes" in self.rows and self.facts.role != "server":
            self.tell("Get-NetRoute: some of the routes alone, nothing in it is judged")
        self.facts.unread += self._told
