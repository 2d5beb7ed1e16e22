"""What group policies say about ISATAP: from their files, as SYSVOL and backups have them, and from reports. Pure.

Three places can hold it: ``Registry.pol`` (administrative templates), the XML of preferences, and scripts. Of the last
two only what is written in clear is found.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from manageout.errors import ManageoutError, WireError
from manageout.windows.policies import TRANSITION
from manageout.windows.registry_pol import RegistryRecord, parse
from manageout.windows.text import decoded

Turns = Literal["on", "off", "router name", "unclear"]

_STATE, _NAME = "isatap_state", "isatap_routername"
_DELETION = "**del."
_SCRIPT = re.compile(r"[^\r\n]*isatap[^\r\n]*", re.IGNORECASE)
_MAX_LINE, _MAX_LINES = 200, 20


class Setting(NamedTuple):
    """One thing that a policy says about ISATAP."""

    policy: str
    guid: str
    place: str
    """The file in the policy, or ``report``."""
    what: str
    """In its own words: ``ISATAP_State = Enabled``."""
    turns: Turns


def of_files(policy: str, guid: str, files: Mapping[str, bytes]) -> list[Setting]:
    """``files``: by their path in the policy, slashes either way."""
    found: list[Setting] = []
    for path, data in sorted(files.items()):
        place = path.replace("\\", "/")
        suffix = place.rpartition(".")[2].lower()
        if suffix == "pol":
            found += (Setting(policy, guid, place, *each) for each in _registry(data))
        elif suffix in ("xml", "ps1", "bat", "cmd", "vbs", "ini", "txt"):
            found += (Setting(policy, guid, place, line, "unclear") for line in _lines(data))
    return found


def of_report(data: bytes) -> list[Setting]:
    """``Get-GPOReport -ReportType Xml``, of one policy or of all. Raises :class:`ManageoutError`."""
    hint = "give what Get-GPOReport -All -ReportType Xml -Path FILE wrote"
    text = decoded(data)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ManageoutError("the report declares entities, which no report does", hint)
    try:
        # What it declares as its encoding is that of the file, and it is decoded by now.
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))  # noqa: S314 - no entities
    except ElementTree.ParseError as error:
        raise ManageoutError(f"the report is not whole: {error}", hint) from None
    policies = [each for each in root.iter() if _tag(each) == "GPO"]
    if not policies:
        raise ManageoutError("no group policy is in the report", hint)
    return [setting for policy in policies for setting in _reported(policy)]


def _registry(data: bytes) -> Iterator[tuple[str, Turns]]:
    try:
        records = parse(data)
    except WireError as error:
        yield f"cannot be read: {error.message}", "unclear"
        return
    for record in records:
        if record.key.lower() == TRANSITION.lower() and "isatap" in record.value.lower():
            yield _value(record)


def _value(record: RegistryRecord) -> tuple[str, Turns]:
    name, content = record.value, record.content()
    if name.lower().startswith(_DELETION):
        return f"{name[len(_DELETION) :]} is deleted", "off"
    text = f"{name} = {content if isinstance(content, str | int) else '(not a text)'}"
    if name.lower() == _STATE:
        return text, _turns(str(content))
    return text, "router name" if name.lower() == _NAME else "unclear"


def _turns(state: str) -> Turns:
    """Since 2017 the templates' Default means: no ISATAP interface."""
    state = state.lower()
    return "on" if state == "enabled" else "off" if state in ("disabled", "default") else "unclear"


def _lines(data: bytes) -> Iterator[str]:
    found = [match[0].strip() for match in _SCRIPT.finditer(decoded(data))]
    return (line[:_MAX_LINE] for line in dict.fromkeys(found[:_MAX_LINES]))


def _reported(policy: ElementTree.Element) -> Iterator[Setting]:
    """The templates' names are translated, but ISATAP stays in every language."""
    name = _child(policy, "Name")
    identifiers = (each for each in policy.iter() if _tag(each) == "Identifier" and len(each) == 0)
    guid = next((each.text or "" for each in identifiers), "")
    for each in policy.iter():
        title = _child(each, "Name") if _tag(each) == "Policy" else ""
        if "isatap" not in title.lower():
            continue
        enabled = _child(each, "State").lower() == "enabled"
        values = _values(each)
        state = f": {'on' if enabled else 'off'}"
        what = f"{title} = {', '.join(values)}" if values and enabled else title + state
        yield Setting(name, guid, "report", what[:_MAX_LINE], _reported_turns(enabled, values))


def _values(policy: ElementTree.Element) -> list[str]:
    """The texts that somebody typed, and the choice from a list."""
    found = []
    for each in policy.iter():
        if _tag(each) == "EditText":
            found += [child.text or "" for child in each if _tag(child) == "Value"]
        elif _tag(each) == "DropDownList":
            choices = (inner for child in each if _tag(child) == "Value" for inner in child.iter())
            found += [inner.text or "" for inner in choices if _tag(inner) == "Name"]
    return [value for value in found if value]


def _reported_turns(enabled: bool, values: list[str]) -> Turns:
    if not enabled:
        return "off"
    words = {value.lower().split(" ")[0] for value in values}
    if words & {"enabled", "enable"}:
        return "on"
    if words & {"disabled", "disable", "default"}:
        return "off"
    return "router name" if any("." in value and " " not in value for value in values) else "unclear"


def _child(element: ElementTree.Element, tag: str) -> str:
    """The text of its first child of that name."""
    return next((each.text or "" for each in element if _tag(each) == tag), "")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
