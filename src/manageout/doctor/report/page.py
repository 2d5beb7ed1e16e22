"""The troubleshooting page of the guide, from the rules: never out of date."""

from __future__ import annotations

from manageout.doctor.rules.catalogue import RULES
from manageout.doctor.rules.rule import Rule

_THEMES = {
    "Any Windows machine": ("machine",),
    "ISATAP hosts (managers)": ("isatap",),
    "DirectAccess servers and farms": ("server",),
    "Names": ("dns",),
    "Which address is preferred": ("preference",),
    "Ways, policies, certificates and logs that outputs show": ("outputs",),
    "Remote clients": ("iphttps", "nrpt", "location", "firewall"),
    "Linux machines, live": ("live_host", "live_names", "live_isatap", "live_certificates"),
    "From a manager to a client (doctor reach)": ("reach",),
}
"""Heading -> themes of rules, which are their modules and texts."""
_PROGRAMS = (
    "netsh", "reg", "manageout", "w32tm", "gpupdate", "gpresult", "ipconfig", "certutil", "repadmin", "apt-get",
    "cat", "chronyc", "curl", "date", "firewall-cmd", "grep", "ip", "journalctl", "nft", "openssl", "ping", "sysctl",
    "systemctl", "timedatectl", "ss", "tracert",
)  # fmt: skip
_HEAD = """# Troubleshooting

`manageout doctor` finds these causes. On Windows, as administrator, run the script that `manageout doctor --collector`
prints, and give the file it writes to `manageout doctor FILE`. Saved or pasted output of `ipconfig /all`, netsh,
nslookup, dnscmd, reg query, sc, route print, systeminfo, ping, tracert, gpresult, w32tm and cmdlets does too, in any
of the languages that the doctor knows, as mails and web pages show it: with or without prompts, quoting marks,
indentation and empty lines. Outputs of several machines are told apart by their host names, by remote prompts, and by
headings such as `=== DA1 ===` or `on the server:`; of one output that is there twice the later counts. What could not
be read is named, and what is known but not judged. On a Linux gateway, router, ISATAP host or any other machine,
`manageout doctor --live` looks for itself, as root, and changes nothing; `manageout doctor --save FILE.zip` also
keeps what it saw, without secrets, for somebody else to judge by `manageout doctor FILE.zip`.
A cause hides its consequences: of a chain only the first is shown.

When one manager cannot reach one client, `manageout doctor reach HOST CLIENT --port 3389` walks the way between them,
both by the client's lease (IPv4) and by ISATAP, and says of each hop: ok, FAILS, or not seen from here and where it
can be. Begin on the gateway, as root: it knows names, policy, connection and lease, and asks the client in the
manager's name whether the port opens. The ISATAP router, where it is another machine, sees whether IP protocol 41
passes; a Linux manager sees its own names, the router's answer and the port. Nothing is changed.

This page is printed by `manageout doctor --rules --markdown`. No Windows machine has confirmed the remedies for
Windows yet, but each comes from its documentation or from administrators who were cured by it.
"""


def troubleshooting_text() -> str:
    """Markdown: every rule by theme, with severity, cause, remedy and what it hides."""
    parts = [_HEAD]
    for title, themes in _THEMES.items():
        parts.append(f"## {title}\n")
        parts += [_rule(rule) for rule in RULES.values() if rule.theme in themes]
    return "\n".join(parts)


def _rule(rule: Rule) -> str:
    steps = "\n".join(f"- {_code(step)}" for step in rule.steps())
    hides = f"\nHides {', '.join(f'`{code}`' for code in sorted(rule.hides))}.\n" if rule.hides else ""
    return f"### {rule.code}: {rule.title}\n\n*{rule.severity}.* {rule.cause}\n\n{steps}\n{hides}"


def _code(step: str) -> str:
    """A command in code style, with what is said about it behind."""
    command, _, words = step.partition("   (")
    word = command.split(" ")[0]
    cmdlet = "-" in word and word[0].isupper()
    shown = f"`{command}`" if cmdlet or word in _PROGRAMS else command
    return f"{shown} ({words}" if words else shown
