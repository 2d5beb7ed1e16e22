"""``gpreport.xml`` of a saved policy, which people and tools read (Import-GPO does not), and its security descriptor.

The descriptor is neutral: accounts that every domain has under the same identifier. Who the policy applies to is no
part of it; Import-GPO leaves the descriptor of the policy that it fills.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from xml.sax.saxutils import escape

from manageout.windows.policies import Content, Policy, Value

SETTINGS = "http://www.microsoft.com/GroupPolicy/Settings"
TYPES = "http://www.microsoft.com/GroupPolicy/Types"
_FULL, _READ = 0x000F_00FF, 0x0002_0094
"""CCDCLCSWRPWPDTLOSDRCWDWO and LCRPLORC, as group policy objects have them (MS-ADTS 5.1.3.2)."""
_SYSTEM, _ADMINISTRATORS, _CONTROLLERS, _AUTHENTICATED = (18,), (32, 544), (9,), (11,)
"""Below S-1-5."""
_ALLOWED = (
    (_FULL, _SYSTEM),
    (_FULL, _ADMINISTRATORS),
    (_READ, _CONTROLLERS),
    (_READ, _AUTHENTICATED),
)
SDDL = (
    "O:SYG:SYD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;SY)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;BA)"
    "(A;CI;LCRPLORC;;;ED)(A;CI;LCRPLORC;;;AU)"
)
"""What :func:`security_descriptor` says, as text."""
_CONTAINER_INHERIT = 2
_SELF_RELATIVE, _DACL_PRESENT, _DACL_PROTECTED = 0x8000, 0x0004, 0x1000


def security_descriptor() -> bytes:
    """A self-relative descriptor (MS-DTYP 2.4.6)."""
    entries = b"".join(_entry(mask, _sid(who)) for mask, who in _ALLOWED)
    dacl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), len(_ALLOWED), 0) + entries
    owner = _sid(_SYSTEM)
    header = struct.calcsize("<BBHIIII")
    flags = _SELF_RELATIVE | _DACL_PRESENT | _DACL_PROTECTED
    at_group, at_dacl = header + len(owner), header + 2 * len(owner)
    return struct.pack("<BBHIIII", 1, 0, flags, header, at_group, 0, at_dacl) + owner + owner + dacl


def _sid(authorities: tuple[int, ...]) -> bytes:
    """MS-DTYP 2.4.2.2."""
    return struct.pack(f"<BB6s{len(authorities)}I", 1, len(authorities), b"\0\0\0\0\0\5", *authorities)


def _entry(mask: int, sid: bytes) -> bytes:
    """ACCESS_ALLOWED_ACE (MS-DTYP 2.4.4.2)."""
    return struct.pack("<BBHI", 0, _CONTAINER_INHERIT, 8 + len(sid), mask) + sid


def report(policy: Policy, guid: str, domain: str, made: datetime) -> bytes:
    """UTF-16 with its mark, as the console writes it."""
    when = f"{made:%Y-%m-%dT%H:%M:%S}"
    body = (
        f'<GPO xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xmlns="{SETTINGS}"><Identifier><Identifier xmlns="{TYPES}">{guid}</Identifier>'
        f'<Domain xmlns="{TYPES}">{escape(domain)}</Domain></Identifier><Name>{escape(policy.name)}</Name>'
        f"<Comment>{escape(policy.about)}</Comment><IncludeComments>true</IncludeComments>"
        f"<CreatedTime>{when}</CreatedTime><ModifiedTime>{when}</ModifiedTime><ReadTime>{when}</ReadTime>"
        f'<SecurityDescriptor><SDDL xmlns="{TYPES}/Security">{SDDL}</SDDL>'
        f'<PermissionsPresent xmlns="{TYPES}/Security">true</PermissionsPresent></SecurityDescriptor>'
        f"<FilterDataAvailable>true</FilterDataAvailable>"
        f"<Computer><VersionDirectory>1</VersionDirectory><VersionSysvol>1</VersionSysvol><Enabled>true</Enabled>"
        f'<ExtensionData><Extension xmlns:q1="{SETTINGS}/Registry" xsi:type="q1:RegistrySettings">'
        f"{''.join(_keys(policy))}<q1:Blocked>false</q1:Blocked></Extension><Name>Registry</Name></ExtensionData>"
        f"</Computer><User><VersionDirectory>0</VersionDirectory><VersionSysvol>0</VersionSysvol>"
        f"<Enabled>false</Enabled></User></GPO>"
    )
    return f'<?xml version="1.0" encoding="utf-16"?>\r\n{body}'.encode("utf-16")


def _keys(policy: Policy) -> Iterator[str]:
    for key, values in groupby(policy.values, lambda value: value.key):
        yield (
            f"<q1:RegistrySetting><q1:KeyPath>{escape(key)}</q1:KeyPath><q1:AdmSetting>false</q1:AdmSetting>"
            f"{''.join(map(_value, values))}</q1:RegistrySetting>"
        )


def _value(value: Value) -> str:
    return f"<q1:Value><q1:Name>{escape(value.name)}</q1:Name>{_content(value.content)}</q1:Value>"


def _content(content: Content) -> str:
    if isinstance(content, int):
        return f"<q1:Number>{content}</q1:Number>"
    if isinstance(content, str):
        return f"<q1:String>{escape(content)}</q1:String>"
    texts = "".join(f"<q1:Value>{escape(text)}</q1:Value>" for text in content)
    return f"<q1:MultiString>{texts}</q1:MultiString>"
