"""``gpreport.xml`` of a saved policy, which people and tools read (Import-GPO does not), and its security descriptor.

The descriptor is neutral: accounts that every domain has under the same identifier. Who the policy applies to is no
part of it; Import-GPO leaves the descriptor of the policy that it fills.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from xml.sax.saxutils import escape

from manageout.windows.policies import Content, Policy, Value
from manageout.windows.template import filled

SDDL = (
    "O:SYG:SYD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;SY)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;BA)"
    "(A;CI;LCRPLORC;;;ED)(A;CI;LCRPLORC;;;AU)"
)
DESCRIPTOR = bytes.fromhex(
    "01000490 14000000 20000000 00000000 2c000000 010100000000000512000000 010100000000000512000000"
    "02005c0004000000 00021400ff000f00 010100000000000512000000 00021800ff000f00 01020000000000052000000020020000"
    "0002140094000200 010100000000000509000000 0002140094000200 01010000000000050b000000"
)
"""The same, self-relative (MS-DTYP 2.4.6): header, owner, group, and an access list of four entries."""


def report(policy: Policy, guid: str, domain: str, made: datetime) -> bytes:
    """UTF-16 with its mark, as the console writes it."""
    body = filled(
        "templates/gpreport.xml",
        GUID=guid,
        DOMAIN=escape(domain),
        NAME=escape(policy.name),
        ABOUT=escape(policy.about),
        WHEN=f"{made:%Y-%m-%dT%H:%M:%S}",
        SDDL=SDDL,
        VALUES="".join(_keys(policy)),
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
