"""``ConvertTo-Json`` in a pasted text -> records. Enumerations are numbers there; CIM's are given their words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from manageout.doctor.powershell.records import MAX_PROPERTIES, MAX_RECORDS, Record
from manageout.doctor.powershell.value import MAX_ITEMS, Value

MAX_TEXT = 4096
"""Characters of a value."""
_SWITCH = {0: "Disabled", 1: "Enabled"}
_STATE = {0: "Default", 1: "Automatic", 2: "Enabled", 3: "Disabled"}
_REACH = {0: "Disconnected", 1: "NoTraffic", 2: "Subnet", 3: "LocalNetwork", 4: "Internet"}
_PROFILES = {
    sum(bits): ", ".join(name for bit, name in ((1, "Domain"), (2, "Private"), (4, "Public")) if bit in bits)
    for bits in ((1,), (2,), (4,), (1, 2), (1, 4), (2, 4), (1, 2, 4))
} | {0: "Any", 0x7FFFFFFF: "Any"}
_WORDS: dict[str, tuple[str, dict[int, str]]] = {  # property -> another that must be there, words of its numbers
    "State": ("Router", _STATE),
    "ResolutionState": ("Router", _STATE),
    "Type": ("ServerVirtualIP", dict(enumerate(
        ("Default", "Relay", "Client", "Server", "Disabled", "Automatic", "EnterpriseClient", "NatAwareClient")))),
    "AddressFamily": ("", {2: "IPv4", 23: "IPv6"}),
    "Forwarding": ("", _SWITCH),
    "Advertising": ("", _SWITCH),
    "AdvertiseDefaultRoute": ("", _SWITCH),
    "IgnoreDefaultRoutes": ("", _SWITCH),
    "ConnectionState": ("", {0: "Disconnected", 1: "Connected"}),
    "Publish": ("", {0: "No", 1: "Age", 2: "Yes"}),
    "NetworkCategory": ("", {0: "Public", 1: "Private", 2: "DomainAuthenticated"}),
    "IPv4Connectivity": ("", _REACH),
    "IPv6Connectivity": ("", _REACH),
    "Direction": ("Action", {1: "Inbound", 2: "Outbound"}),
    "Action": ("Direction", {2: "Allow", 4: "Block"}),
    "Enabled": ("Direction", {1: "True", 2: "False"}),
    "Profile": ("Direction", _PROFILES),
    "Status": ("ServicesDependedOn", {1: "Stopped", 4: "Running"}),
}  # fmt: skip


def records(lines: Sequence[str]) -> list[Record]:
    """The objects of the first JSON text in ``lines``; empty when there is none, or it is not whole."""
    start = next((number for number, line in enumerate(lines) if line.lstrip()[:1] in ("{", "[")), None)
    if start is None:
        return []
    text = "\n".join(lines[start:]).strip()
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return []
    listed = found if isinstance(found, list) else [found]
    return [_record(one) for one in listed[:MAX_RECORDS] if isinstance(one, dict) and one]


def _record(found: dict[str, Any]) -> Record:
    values = {}
    for name, value in list(found.items())[:MAX_PROPERTIES]:
        beside, words = _WORDS.get(name, ("", {}))
        if isinstance(value, int) and not isinstance(value, bool) and (not beside or beside in found):
            value = words.get(value, value)
        values[name] = _value(value)
    return Record(values, ", ".join(f"{name} {value.text}" for name, value in list(values.items())[:3]))


def _value(value: Any) -> Value:
    if isinstance(value, dict) and isinstance(value.get("value"), list):  # of Windows PowerShell 5.1
        value = value["value"]
    if isinstance(value, list):
        items = tuple(_text(one) for one in value[:MAX_ITEMS])
        return Value(f"{{{', '.join(items)}}}"[:MAX_TEXT], items, len(value) > MAX_ITEMS)
    return Value(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return ""
    return "" if value is None else str(value).replace("\n", " ")[:MAX_TEXT]
