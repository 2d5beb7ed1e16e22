"""PowerShell scripts for chosen machines and for the domain: idempotent, each with its inverse.

Their texts stand in ``scripts/*.ps1``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from manageout.windows.policies import TCPIP_EXTENSION, Content, Policy
from manageout.windows.template import filled

_STORE = r"HKLM:\SOFTWARE\Manageout\Rollout"
_BEGIN, _END = "# Manageout: begin", "# Manageout: end"


class Target(NamedTuple):
    """To whom a policy applies: a group of computers, and the organisational unit where it is linked."""

    policy: Policy
    group: str
    unit: str


def quoted(text: str) -> str:
    """A literal in single quotes; PowerShell takes the typographic ones for quotes too."""
    for mark in "'‘’‚‛":
        text = text.replace(mark, mark * 2)
    return f"'{text}'"


def script(body: str, computers: Sequence[str], about: str) -> str:
    """``body`` for this machine, or for ``computers`` by PowerShell remoting; each told by name when it fails."""
    if not computers:
        return filled("scripts/machine.ps1", ABOUT=_comment(about), BODY=body.rstrip())
    names = ",\n    ".join(map(quoted, computers))
    inner = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    return filled("scripts/machines.ps1", ABOUT=_comment(about), NAMES=f"@(\n    {names}\n)", BODY=inner)


def isatap_on(router: str) -> str:
    """Body that makes a machine an ISATAP host of ``router``; what was set before is kept for the inverse."""
    return filled("scripts/isatap-on.ps1", ROUTER=quoted(router), STORE=quoted(_STORE))


def isatap_off() -> str:
    """Body that restores what :func:`isatap_on` found."""
    return filled("scripts/isatap-off.ps1", STORE=quoted(_STORE))


def hosts_on(lines: Sequence[str]) -> str:
    """Body that puts ``lines`` between marks into the HOSTS file, once."""
    wanted = ",\n    ".join(map(quoted, (_BEGIN, *lines, _END)))
    return filled("scripts/hosts.ps1", WANTED=f"@(\n    {wanted}\n)", BEGIN=quoted(_BEGIN), END=quoted(_END))


def hosts_off() -> str:
    """Body that takes out of the HOSTS file what :func:`hosts_on` has put in, and nothing else."""
    return filled("scripts/hosts.ps1", WANTED="@()", BEGIN=quoted(_BEGIN), END=quoted(_END))


def domain(targets: Sequence[Target], name: str) -> str:
    """Create, fill, filter and link the policies in the domain ``name``; what they no longer have is taken out."""
    calls = "\n".join(_call(target) for target in targets)
    return filled(
        "scripts/domain.ps1",
        DOMAIN=quoted(name),
        TCPIP=quoted(TCPIP_EXTENSION),
        CALLS=calls.rstrip(),
        NAMES=_names(targets),
    )


def domain_undo(targets: Sequence[Target], name: str) -> str:
    """Remove the policies that :func:`domain` has made; with them go their links."""
    return filled("scripts/domain-undo.ps1", DOMAIN=quoted(name), NAMES=_names(targets))


def _names(targets: Sequence[Target]) -> str:
    names = ",\n    ".join(quoted(target.policy.name) for target in targets)
    return f"@(\n    {names}\n)"


def name_rules() -> str:
    """For remote clients: removes the policy's key of name rules when it is empty, for it silences other rules."""
    return filled("scripts/name-rules.ps1")


def server_reset() -> str:
    """The start-up script for a Windows Server that is an ISATAP router."""
    return filled("scripts/server-reset.ps1")


def encoded(text: str) -> bytes:
    """UTF-8 with a byte order mark, without which Windows PowerShell reads the OEM code page."""
    return b"\xef\xbb\xbf" + text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _call(target: Target) -> str:
    # A comma before each: without it the lists within a list become one.
    lines = [
        f"    ,@({quoted(value.key)}, {quoted(value.name)}, {quoted(value.kind)}, {_content(value.content)})"
        for value in target.policy.values
    ]
    values = "\n".join(lines)
    transition = "$true" if target.policy.transition else "$false"
    return (
        f"Set-ManageoutPolicy -Name {quoted(target.policy.name)} -About {quoted(target.policy.about)} `\n"
        f"    -Group {quoted(target.group)} -Unit {quoted(target.unit)} -Transition {transition} -Values @(\n"
        f"{values}\n)\n"
    )


def _content(content: Content) -> str:
    if isinstance(content, int):
        return str(content)
    return quoted(content) if isinstance(content, str) else f"@({', '.join(map(quoted, content))})"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())
