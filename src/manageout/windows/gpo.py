"""Group policies in Active Directory: what the site file wants against what is there. No I/O.

``found`` is what :mod:`manageout.directory.ad.gpo_samba` reads; a *state* is the part of it that can be written again:
``{"policies": {GUID: policy | None}, "links": {place: {"gPLink": text | None}}}``. A policy is ours when it has the
GUID that follows from its name and the domain.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import NamedTuple

from manageout.directory.ad.state import Directory, DomainState, PlaceState, PolicyState, Questions
from manageout.errors import ManageoutError, WireError
from manageout.windows.registry_pol import parse
from manageout.words import texts

REGISTRY = "Machine\\Registry.pol"
VERSION_FILE = "GPT.INI"
USER_HALF_OFF = "1"
_MACHINE = 0xFFFF
_RIGHTS = ("CC", "DC", "LC", "SW", "RP", "WP", "DT", "LO", "CR", "SD", "RC", "WD", "WO")
"""In the order in which Windows and Samba 4.22 write them; Samba 4.17 has its own ([MS-DTYP] 2.5.1.1)."""
_EVERYTHING = "".join(right for right in _RIGHTS if right != "CR")
_READ = "LCRPLORC"
_APPLY = "edacfd8f-ffb3-11d1-b41d-00a0c968f939"
_LINK = re.compile(r"\[LDAP://([^;\]]*);(\d+)\]", re.IGNORECASE)
_DISABLED = 1
PART = 60
"""Characters that are shown of a long value."""
_texts = partial(texts, "manageout.windows")


class WantedPolicy(NamedTuple):
    """One policy as the site file asks for it."""

    guid: str
    """In braces, upper case."""
    name: str
    extensions: str
    registry: bytes
    """``Registry.pol``."""
    group: str
    unit: str


def questions(wanted: Sequence[WantedPolicy]) -> Questions:
    """What has to be read for ``wanted``."""
    return {
        "guids": [each.guid for each in wanted],
        "names": [each.name for each in wanted],
        "groups": sorted({each.group for each in wanted}),
        "units": sorted({each.unit for each in wanted}),
    }


def of(guids: Iterable[str], places: Iterable[str] = ()) -> Questions:
    """What has to be read of these policies, and of links at these places."""
    return {"guids": [*guids], "names": [], "groups": [], "units": [*places]}


def refuse(wanted: Iterable[WantedPolicy], found: Directory) -> None:
    """Raises :class:`ManageoutError` when ``wanted`` cannot be published there."""
    for each in wanted:
        foreign = [guid for guid in found["names"][each.name] if guid.upper() != each.guid]
        if foreign:
            raise ManageoutError(*_texts("foreign-name", name=each.name, guid=foreign[0]))
        policy = found["policies"][each.guid]
        if policy is not None and policy["attributes"] is None:
            raise ManageoutError(*_texts("folder-alone", name=each.name, guid=each.guid))
        if found["groups"][each.group] is None:
            raise ManageoutError(*_texts("no-group", group=each.group, base=found["base"]))
        if found["links"][each.unit] is None:
            raise ManageoutError(*_texts("no-place", unit=each.unit))


def differences(wanted: Iterable[WantedPolicy], found: Directory) -> list[str]:
    """What differs, a line each; empty when the directory is as the site file says."""
    lines = []
    for each in wanted:
        policy = found["policies"][each.guid]
        if policy is None or policy["attributes"] is None:
            lines.append(f"{each.name}: not in the directory")
        else:
            lines += [f"{each.name}: {line}" for line in _differences(each, policy, found)]
        lines += [f"{each.name}: {line}" for line in _misplaced(each, found)]
    return lines


def desired(wanted: Iterable[WantedPolicy], found: Directory, used: Mapping[str, int]) -> DomainState:
    """The state to write: only policies and links that differ. ``used``: highest version each GUID ever had."""
    policies: dict[str, PolicyState | None] = {}
    for each in wanted:
        there = found["policies"][each.guid]
        if there is None or there["attributes"] is None or _differences(each, there, found):
            policies[each.guid] = _policy(each, there, found, used.get(each.guid, 0))
    links = {place: link for place, link in found["links"].items() if link is not None}
    changed: dict[str, PlaceState | None] = {}
    for each in wanted:
        for place in links:
            before = _text(links[place])
            after = _linked(before, each, found) if _same(place, each.unit) else _without(before, each.guid)
            if after != before:
                links[place] = changed[place] = PlaceState(gPLink=after or None)
    return {"policies": policies, "links": changed}


def without(guids: Iterable[str], found: DomainState) -> DomainState:
    """The state in which these policies, and their links, are gone."""
    there = [guid for guid in guids if found["policies"].get(guid) is not None]
    links = _changed(found["links"], lambda _, text: reduce(_without, there, text))
    return {"policies": dict.fromkeys(there), "links": links}


def part(found: DomainState, of: DomainState) -> DomainState:
    """What ``found`` holds of the policies and places that are in ``of``."""
    return {
        "policies": {guid: found["policies"].get(guid) for guid in of["policies"]},
        "links": {place: found["links"].get(place) for place in of["links"]},
    }


def undone(before: DomainState, found: DomainState) -> DomainState:
    """The state that restores ``before``, and leaves links that others have made since."""
    guids = before["policies"] | found["policies"]

    def links(place: str, text: str) -> str:
        was = _text(before["links"][place])
        rest, rest_was = reduce(_without, guids, text), reduce(_without, guids, was)
        if rest == rest_was:
            return was
        return "".join(each[0] for each in _LINK.finditer(was) if each[0] not in rest_was) + rest

    # A place that is gone itself is left so.
    places = {place: link for place in before["links"] if (link := found["links"].get(place)) is not None}
    policies = {guid: old for guid, old in before["policies"].items() if found["policies"].get(guid) != old}
    return {"policies": policies, "links": _changed(places, links)}


def _changed(
    links: Mapping[str, PlaceState | None], after: Callable[[str, str], str]
) -> dict[str, PlaceState | None]:
    """The places whose links are others ``after``, which is given the place and its text."""
    both = {place: (_text(link), after(place, _text(link))) for place, link in links.items()}
    return {place: PlaceState(gPLink=new or None) for place, (old, new) in both.items() if new != old}


def _text(link: PlaceState | None) -> str:
    return (link and link["gPLink"]) or ""


def version(policy: PolicyState | None) -> int:
    """The computer half's version; 0 for what is not there."""
    if policy is None or policy["attributes"] is None:
        return 0
    return int(policy["attributes"].get("versionNumber", 0)) & _MACHINE


def access(sid: str) -> str:
    """Administrators everything; everybody may read; the group alone has the policy applied."""
    full = "".join(f"(A;CI;{_EVERYTHING};;;{who})" for who in ("DA", "EA", "SY"))
    read = "".join(f"(A;CI;{_READ};;;{who})" for who in ("AU", "ED", sid))
    return f"D:P{full}{read}(OA;CI;CR;{_APPLY};;{sid})"


def _policy(wanted: WantedPolicy, there: PolicyState | None, found: Directory, used: int) -> PolicyState:
    number = (max(version(there), used) + 1) & _MACHINE or 1
    user = 0
    if there and there["attributes"]:
        user = int(there["attributes"].get("versionNumber", 0)) & ~_MACHINE
    attributes = _attributes(wanted, found) | {"versionNumber": str(user | number)}
    files = {
        VERSION_FILE: f"[General]\r\nVersion={user | number}\r\n".encode(),
        REGISTRY: wanted.registry,
    }
    return {
        "attributes": attributes,
        "security": access(found["groups"][wanted.group] or ""),
        "files": {path: base64.b64encode(content).decode() for path, content in files.items()},
        "folders": ["Machine", "User"],
        "access": {},
    }


def _attributes(wanted: WantedPolicy, found: Directory) -> dict[str, str]:
    domain = domain_of(found["base"])
    return {
        "displayName": wanted.name,
        "flags": USER_HALF_OFF,
        "gPCFileSysPath": f"\\\\{domain}\\sysvol\\{domain}\\Policies\\{wanted.guid}",
        "gPCFunctionalityVersion": "2",
        "gPCMachineExtensionNames": wanted.extensions,
    }


def domain_of(base: str) -> str:
    """``DC=corp,DC=example`` -> ``corp.example``."""
    return ".".join(label.partition("=")[2] for label in base.split(",")).lower()


def _differences(wanted: WantedPolicy, policy: PolicyState, found: Directory) -> list[str]:
    lines = _object_lines(wanted, policy, found)
    if not policy["files"] and not policy["folders"]:
        return [*lines, "its folder in SYSVOL is not there: replication lags behind, or somebody removed it"]
    return lines + _folder_lines(wanted, policy)


def _object_lines(wanted: WantedPolicy, policy: PolicyState, found: Directory) -> list[str]:
    """Of the object in the directory, and its access list."""
    lines = []
    expected, attributes = _attributes(wanted, found), policy["attributes"] or {}
    for name in sorted((expected | attributes).keys() - {"versionNumber"}):
        is_, should = attributes.get(name), expected.get(name)
        if is_ != should and str(is_).lower() != str(should).lower():
            lines.append(f"{name} is {is_ or 'missing'}, should be {should or 'absent'}")
    group, security = found["groups"][wanted.group], policy["security"] or ""
    if group is not None and _entries(security) != _entries(access(group)):
        lines += _access_lines(security, access(group))
    elif policy["files"] and not policy["consistent"]:
        lines.append("the access list of its folder in SYSVOL does not match the directory's")
    return lines


def _folder_lines(wanted: WantedPolicy, policy: PolicyState) -> list[str]:
    """Of the folder in SYSVOL."""
    files = {path.lower(): base64.b64decode(text) for path, text in policy["files"].items()}
    lines = _registry_lines(wanted.registry, files.get(REGISTRY.lower()))
    lines += [
        f"{path} is there too"
        for path in sorted(files)
        if path not in (REGISTRY.lower(), VERSION_FILE.lower())
    ]
    text = files.get(VERSION_FILE.lower(), b"").decode("latin-1")
    number = re.search(r"(?im)^\s*version\s*=\s*(\d+)", text)
    is_ = (policy["attributes"] or {}).get("versionNumber")
    if number is None or number[1] != is_:
        lines.append(f"version {is_} in the directory, {number[1] if number else 'none'} in {VERSION_FILE}")
    return lines


def _access_lines(is_: str, should: str) -> list[str]:
    there, wanted = _entries(is_), _entries(should)
    return [
        *(f"access list: {entry} is missing" for entry in sorted(wanted - there)),
        *(f"access list: {entry} is there too" for entry in sorted(there - wanted)),
    ] or ["access list: not protected from inheritance"]


def _entries(sddl: str) -> set[str]:
    """The entries of the DACL, with their rights in one order, and its flags."""
    text = re.sub(r"^.*?D:", "", sddl, count=1).partition("S:(")[0]
    return {"P" if "P" in text.partition("(")[0] else "", *map(_in_order, re.findall(r"\([^)]*\)", text))}


def _in_order(entry: str) -> str:
    kind, flags, rights, *rest = entry.split(";")
    letters = re.findall("..", rights)
    if all(right in _RIGHTS for right in letters):
        rights = "".join(sorted(letters, key=_RIGHTS.index))
    return ";".join((kind, flags, rights, *rest))


def _registry_lines(wanted: bytes, there: bytes | None) -> list[str]:
    if there is None:
        return [f"{REGISTRY} is missing"]
    try:
        is_ = {(r.key.lower(), r.value.lower()): (r.value, r.content()) for r in parse(there)}
    except WireError as error:
        return [f"{REGISTRY}: {error}"]
    should = {(r.key.lower(), r.value.lower()): (r.value, r.content()) for r in parse(wanted)}
    several = Counter(value for _, value in is_.keys() | should.keys())
    lines = []
    for key in sorted(is_.keys() | should.keys()):
        name = (should.get(key) or is_[key])[0]
        if several[key[1]] > 1:  # such as one rule's among several
            name = key[0].rpartition("\\")[2] + "\\" + name
        if key not in is_:
            lines.append(f"{name} is missing, should be {_part(should[key][1])}")
        elif key not in should:
            lines.append(f"{name} is there too: {_part(is_[key][1])}")
        elif is_[key][1] != should[key][1]:
            begin = _common(repr(is_[key][1]), repr(should[key][1]))
            lines.append(f"{name} is {_part(is_[key][1], begin)}, should be {_part(should[key][1], begin)}")
    return lines


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _part(value: object, begin: int = 0) -> str:
    """A value; of a long one (a firewall rule) where it begins to differ."""
    text = repr(value)
    if len(text) <= PART:
        return text
    first = max(0, min(begin - PART // 3, len(text) - PART))
    return "..." * (first > 0) + text[first : first + PART] + "..." * (first + PART < len(text))


def _misplaced(wanted: WantedPolicy, found: Directory) -> list[str]:
    lines = []
    for place, link in found["links"].items():
        ours = [each for each in _LINK.finditer(_text(link)) if wanted.guid.lower() in each[1].lower()]
        if not _same(place, wanted.unit):
            lines += [f"linked at {place} too"] if ours else []
        elif not ours:
            lines.append(f"not linked at {place}")
        elif int(ours[0][2]) & _DISABLED:
            lines.append(f"its link at {place} is disabled")
    return lines


def _linked(text: str, wanted: WantedPolicy, found: Directory) -> str:
    for each in _LINK.finditer(text):
        if wanted.guid.lower() in each[1].lower():
            options = int(each[2]) & ~_DISABLED
            return text.replace(each[0], f"[LDAP://{each[1]};{options}]") if options != int(each[2]) else text
    return f"[LDAP://CN={wanted.guid},CN=Policies,CN=System,{found['base']};0]{text}"


def _without(text: str, guid: str) -> str:
    return _LINK.sub(lambda each: "" if guid.lower() in each[1].lower() else each[0], text)


def _same(one: str, other: str) -> bool:
    return re.sub(r"\s*([,=])\s*", r"\1", one).lower() == re.sub(r"\s*([,=])\s*", r"\1", other).lower()
