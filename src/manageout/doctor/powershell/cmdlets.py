"""Which cmdlet a record is of, by the names of its properties -> a row of the section that the collector would make.

What the command line says is used where it is there; mostly it was not pasted.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from manageout.doctor.powershell import delimited
from manageout.doctor.powershell import json as powershell_json
from manageout.doctor.powershell.records import PrintedObject, records
from manageout.doctor.powershell.shapes import CMDLETS, DATA, Cmdlet
from manageout.doctor.powershell.value import PrintedValue, value_of

Row = dict[str, Any]


class Found(NamedTuple):
    """One object. ``row``: property as Windows writes it -> text, list, number or truth. ``cut``: not whole."""

    section: str
    cmdlet: str
    row: Row
    quote: str
    cut: tuple[str, ...]


_BY_CMDLET = {shape.name.lower(): shape for shape in CMDLETS}
WRITTEN = {name.lower(): name for shape in CMDLETS for needs in shape.needs for name in needs}
"""Properties by which a cmdlet is known, lower case -> as Windows writes them."""
_CMDLET = re.compile(r"\b((?:get|test|resolve)-[a-z0-9]{3,60})\b", re.I)
_SERVICES = ("Running", "Stopped", "Paused", "StartPending", "StopPending", "ContinuePending", "PausePending")
_RENAMED = {
    "nlmtu(bytes)": "NlMtu", "resolutioninterval": "ResolutionIntervalSeconds", "ifalias": "InterfaceAlias",
    "ifdesc": "InterfaceDescription",
}  # fmt: skip
"""As tables print properties, and aliases of them, lower case -> as Windows writes them."""
_INDEX = {"adapters": "ifIndex", "interfaces": "ifIndex"}
"""As the collector calls the interface's index there; InterfaceIndex elsewhere."""


def found(lines: Sequence[str], command: str = "") -> list[Found]:
    """The objects in an output of which it is known what they are."""
    return sorted_out(lines, command)[0]


def sorted_out(lines: Sequence[str], command: str = "") -> tuple[list[Found], list[str]]:
    """The same, and in words the objects of which nobody knows what they are."""
    named = cmdlet(command)
    strange: list[str] = []
    printed = powershell_json.records(lines) or delimited.records(lines) or records(lines, command)
    known: list[Found] = _of_command(lines, command, printed)
    bare = any(len(one.row) == 2 and one.quote in one.row.values() for one in known)
    for record in printed:
        if known and known[0].section == "registry" and (bare or _of_a_key(record)):
            continue
        shape = _shape_of(record, named)
        if not record.values:
            strange.append(f"a row whose columns are lost: {record.quote[:60]}")
            continue
        if shape is not None:
            known.append(_completed(_found(record, shape), command))
        elif len(record.values) > 1:  # one alone is prose
            names = ", ".join(islice(record.values, 4))
            strange.append(f"an object with {names}: no cmdlet is known that prints it")
    return known, list(dict.fromkeys(strange))


def _of_command(lines: Sequence[str], command: str, printed: Sequence[PrintedObject]) -> list[Found]:
    """What the command alone says: the key of a registry's values, and what a bare value is."""
    value = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if not value or len(command) > 2000:
        return []
    if match := REGISTRY.search(command):
        return _of_registry(printed, command, match[1].strip(), value)
    if (match := _BUILD.fullmatch(value)) and _VERSION.search(command):
        return [Found("computer", "Get-CimInstance", {"Build": int(match[1] or match[2])}, value, ())]
    if value.isdecimal() and len(value) < 5 and re.search(r"mainmodesa\b.*\.count\s*$", command, re.I):
        return [Found("ipsec", "Get-NetIPsecMainModeSA", {"MainMode": int(value), "Rules": 1}, value, ())]
    if value == "False" and (unc := _UNC.search(command)):
        return [_tcp(unc[1], 445, False, value, RemoteAddress=unc[1])]
    if value in ("True", "False") and "quiet" in command.lower() and (target := _TCP.search(command)):
        port = _port(command)
        return [_tcp(target[1].lower(), port, value == "True", value)] if port is not None else []
    return []


def _tcp(name: str, port: int, well: bool, quote: str, **more: object) -> Found:
    row = {"ComputerName": name, "RemotePort": port, "TcpTestSucceeded": well, **more}
    return Found("tcp", "Test-NetConnection", row, quote, ())


def _port(command: str) -> int | None:
    """Of Test-NetConnection."""
    if digits := _PORT.search(command):
        return int(digits[1])
    return next((number for name, number in _PORTS.items() if name in command.lower()), None)


def _completed(one: Found, command: str) -> Found:
    """What was selected without the name and the port that the command has."""
    target = _TCP.search(command[:2000]) if one.section == "tcp" else None
    if target is not None:
        one.row.setdefault("ComputerName", target[1])
        if "RemotePort" not in one.row and (port := _port(command)) is not None:
            one.row["RemotePort"] = port
    return one


def _of_registry(printed: Sequence[PrintedObject], command: str, key: str, value: str) -> list[Found]:
    """Values without the properties by which a key is known, or one bare."""
    path = {"PSPath": f"Registry::HKEY_LOCAL_MACHINE\\{key}"}
    name = _PROPERTY.search(command)
    if " " not in value and name and ":" not in value:
        row = {**path, (name[1] or name[2]): _plain("", value_of([value]))}
        return [Found("registry", "Get-ItemProperty", row, value, ())]
    return [
        Found("registry", "Get-ItemProperty", path | {name: _plain("", each) for name, each in one.values.items()},
              one.quote, ())
        for one in printed
        if _of_a_key(one)
    ]  # fmt: skip


def _of_a_key(record: PrintedObject) -> bool:
    """Not what another command of the line has printed."""
    shape = _shape_of(record, "")
    return (
        bool(record.values)
        and all(name.isidentifier() for name in record.values)
        and (shape is None or shape.section == "registry")
    )


_BUILD = re.compile(r"10\.0\.(\d{5})(?:\.\d+)?|(\d{5})")
_VERSION = re.compile(r"win32_operatingsystem|osversion|buildnumber|get-computerinfo|currentbuild", re.I)
_PORT = re.compile(r"-p(?:ort)?\s+([0-9]{1,5})\b", re.I)
REGISTRY = re.compile(
    r"(?:get-itemproperty(?:value)?|gpv?)\b[^|]*?[\s\"'](?:hklm:|registry::hkey_local_machine)\\+"
    r"([^\"'|)]{1,300}?)(?:\s+-\w|\s+\w{4,100}\s*(?:$|[-|])|\s*[\"'|)]|\s*$)",
    re.I,
)
"""A registry key that a cmdlet reads."""
_PROPERTY = re.compile(r"-name\s+[\"']?([\w-]{1,100})|\)\.([\w-]{1,100})\s*$", re.I)
_TCP = re.compile(r"\b(?:test-netconnection|tnc)\s+(?:-computername\s+|-cn\s+)?[\"']?([\w.:-]{1,255})", re.I)
_UNC = re.compile(r"\btest-path\b[^|]{0,80}?\\\\([\d.]{7,15})\\", re.I)
_PORTS = {"smb": 445, "https": 443, "http": 80, "rdp": 3389, "winrm": 5985}


def cmdlet(command: str) -> str:
    """The cmdlet whose objects a command line prints, lower case: the last of a pipeline that gets any."""
    names = _CMDLET.findall(command[:2000])
    if names:
        return str(names[-1]).lower()
    word = command.strip("( ").partition(" ")[0].lower()
    if word in ("dir", "ls", "gci") and "cert:" in command.lower():
        return "get-childitem"
    return str(DATA["aliases"].get(word, ""))


def _shape_of(record: PrintedObject, named: str) -> Cmdlet | None:
    have = {_RENAMED.get(name.lower()) or WRITTEN.get(name.lower(), name) for name in record.values}
    own = _BY_CMDLET.get(named)
    candidates: list[Cmdlet] = [own, *CMDLETS] if own is not None else [*CMDLETS]
    for shape in candidates:
        if any(needs <= have for needs in shape.needs) and _may_be(shape, record):
            return shape
    if own is not None and (own.section in DATA["forgiving"] or any(needs & have for needs in own.needs)):
        return own
    status = next((value.text for name, value in record.values.items() if name.lower() == "status"), "")
    return (
        _BY_CMDLET["get-daconnectionstatus"] if status in ("ConnectedLocally", "ConnectedRemotely") else None
    )


def _may_be(shape: Cmdlet, record: PrintedObject) -> bool:
    """Names that many things have mean a service only with its words."""
    return shape.section != "services" or any(value.text in _SERVICES for value in record.values.values())


def _found(record: PrintedObject, shape: Cmdlet) -> Found:
    row: Row = {}
    cut = []
    for name, value in record.values.items():
        lower = name.lower()
        written = _RENAMED.get(lower) or WRITTEN.get(lower, name)
        if lower == "entrypointname":
            written = "EntryPointName" if shape.section == "entryPoints" else "EntrypointName"
        if lower in ("ifindex", "interfaceindex"):
            written = _INDEX.get(shape.section, "InterfaceIndex")
        row[written] = _plain(written.lower(), value)
        cut += [written] if value.cut else []
    return Found(shape.section, shape.name, row, record.quote, tuple(cut))


def _plain(name: str, value: PrintedValue) -> Any:
    if value.items is not None and not value.text.startswith("{{") and not _GUID.fullmatch(value.text):
        return list(value.items)
    if value.text in ("True", "False"):
        return value.text == "True"
    if name in DATA["numbers"] and value.text.isascii() and value.text.isdecimal() and len(value.text) < 19:
        return int(value.text)
    if name == "lasterrorcode":
        return _code(value.text)
    return value.text


_GUID = re.compile(r"\{[0-9A-Fa-f-]{36}\}")


def _code(text: str) -> Any:
    """``0x274c``, or in PowerShell's own way 10060."""
    if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,8}", text):
        return int(text, 16)
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else text
