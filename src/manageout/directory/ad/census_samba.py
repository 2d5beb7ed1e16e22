"""What a domain's policies and zones say about ISATAP, read with Samba's own bindings; changes nothing.

Loaded by gpo_samba.py, beside which it lies, under the system's Python; it runs without this package.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ldb
from samba.dcerpc import dnsp
from samba.ndr import ndr_unpack

if TYPE_CHECKING:
    from manageout.directory.ad.state import CensusPolicy, DomainCensus

PAGE = 500
MAX_FILE = 1 << 20
MAX_RECORDS = 200_000
TEXTS = (".pol", ".xml", ".ps1", ".bat", ".cmd", ".vbs", ".ini", ".txt")
WORD = "isatap"
MARKS = (WORD.encode(), WORD.encode("utf-16-le"))
PARTS = 4
"""Of a control with a cookie: name, criticality, size, cookie."""


def census(domain: Any) -> DomainCensus:
    """All of it, by the connection of gpo_samba.py."""
    found, zones = records(domain)
    return {"server": domain.server, "policies": policies(domain), "records": found, "zones": zones}


def policies(domain: Any) -> list[CensusPolicy]:
    """Policies with a file that says ISATAP, with these files and where they are linked."""
    found: list[CensusPolicy] = []
    base = f"CN=Policies,CN=System,{domain.base}"
    for each in pages(domain, base, "(objectClass=groupPolicyContainer)", ["cn", "displayName"]):
        guid = str(each["cn"][0])
        name = str(each["displayName"][0]) if "displayName" in each else guid
        files = {path: content for path, content in texts(domain, domain.folder(guid)) if says(content)}
        if files:
            coded = {path: base64.b64encode(content).decode() for path, content in files.items()}
            found.append({"guid": guid, "name": name, "links": domain.places(guid), "files": coded})
    return found


def texts(domain: Any, folder: str) -> Iterator[tuple[str, bytes]]:
    """Files below a policy's folder that may hold settings; large ones are left out."""
    waiting, seen = [""], 0
    while waiting and seen < 1000:
        below = waiting.pop(0)
        try:
            entries = domain.share.list(f"{folder}\\{below}" if below else folder)
        except Exception as error:  # the folder is gone, or closed to us: the policy says nothing
            print(f"{folder}\\{below}: {error}", file=sys.stderr)
            continue
        for entry in entries:
            seen += 1
            path = f"{below}\\{entry['name']}" if below else entry["name"]
            if entry["attrib"] & 0x10:
                waiting.append(path)
            elif entry["name"].lower().endswith(TEXTS) and entry["size"] <= MAX_FILE:
                yield path, domain.share.loadfile(f"{folder}\\{path}")


def says(content: bytes) -> bool:
    """Whether it names ISATAP, in any letters."""
    lower = content.lower()
    return any(mark in lower for mark in MARKS)


def records(domain: Any) -> tuple[list[list[str]], list[str]]:
    """Names with their addresses from the zones in the directory; and the zones."""
    found: list[list[str]] = []
    zones: list[str] = []
    root = str(domain.db.get_root_basedn())
    places = [f"DC=DomainDnsZones,{domain.base}", f"DC=ForestDnsZones,{root}"]
    for place in dict.fromkeys([*places, f"CN=MicrosoftDNS,CN=System,{domain.base}"]):
        for each in pages(domain, place, "(&(objectClass=dnsNode)(!(dNSTombstoned=TRUE)))", ["dnsRecord"]):
            zone = str(each.dn.get_component_value(1))
            if zone.startswith("..") or zone == "RootDNSServers":
                continue
            if zone not in zones:
                zones.append(zone)
            label = str(each.dn.get_component_value(0))
            name = zone if label == "@" else f"{label}.{zone}"
            found += [[name.lower(), *value] for value in values(each)]
            if len(found) > MAX_RECORDS:
                raise ValueError(f"more than {MAX_RECORDS} addresses in the zones")
    return found, zones


def values(node: Any) -> Iterator[tuple[str, str]]:
    """Kind and value of the records of a node that lead to an address."""
    for data in node.get("dnsRecord", []):
        record = ndr_unpack(dnsp.DnssrvRpcRecord, bytes(data))
        if record.wType == dnsp.DNS_TYPE_A:
            yield "A", str(record.data)
        elif record.wType == dnsp.DNS_TYPE_AAAA:
            yield "AAAA", str(record.data)
        elif record.wType == dnsp.DNS_TYPE_CNAME:
            yield "CNAME", str(record.data).lower().rstrip(".")


def pages(domain: Any, base: str, words: str, attributes: list[str]) -> Iterator[Any]:
    """A search, a page at a time; nothing where there is no such place."""
    cookie = ""
    while True:
        control = f"paged_results:1:{PAGE}{':' + cookie if cookie else ''}"
        try:
            answer = domain.db.search(base, ldb.SCOPE_SUBTREE, words, attrs=attributes, controls=[control])
        except ldb.LdbError as error:
            if error.args[0] == ldb.ERR_NO_SUCH_OBJECT:
                return
            raise
        yield from answer
        parts = [str(each).split(":") for each in answer.controls if str(each).startswith("paged_results")]
        cookie = parts[0][-1] if parts and len(parts[0]) == PARTS else ""
        if not cookie:
            return
