"""Sections of the collector that no cmdlet prints alike: the machine's own name rules and the policy's key, IPsec, the
system account's proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from manageout.doctor.facts import Facts, NrptRule, Seen
from manageout.doctor.read.sections import MAX_TEXT, Reader, Row, texts

_PROXY = re.compile(r":\s+(\S+:\d{1,5})\s*$")
"""Of what netsh prints in whatever language: a host and a port behind a label."""


def _local(facts: Facts, rows: Iterator[Row]) -> None:
    """The rules of the machine itself, which group policy's may silence."""
    facts.nrpt_local = []
    for row in rows:
        direct = texts(row.get("DirectAccessDnsServers"))
        enabled = bool(direct) or row.get("DirectAccessEnabled") is True
        servers = (*direct, *texts(row.get("NameServers")))
        words = ", ".join(servers) or "no server (an exemption)"
        for namespace in texts(row.get("Namespace")):
            quote = f"own name rule {namespace}: {words}"
            facts.nrpt_local.append(NrptRule(namespace, servers, quote, enabled))


def _policy(facts: Facts, rows: Iterator[Row]) -> None:
    for row in rows:
        held = int(row["Rules"])
        facts.nrpt_policy = Seen(held, f"DnsPolicyConfig of group policy is there, with {held or 'no'} rules")


def _ipsec(facts: Facts, rows: Iterator[Row]) -> None:
    for row in rows:
        held = int(row["MainMode"])
        if not row.get("Rules"):
            continue  # a client of ours: no rule asks for IPsec
        facts.ipsec = Seen(held, f"Get-NetIPsecMainModeSA: {held or 'none'}")


def _proxy(facts: Facts, rows: Iterator[Any]) -> None:
    lines = [str(row)[:MAX_TEXT].strip() for row in rows]
    found = [(match[1], line) for line in lines if (match := _PROXY.search(line))]
    if any(lines):
        value, line = found[0] if found else ("", "netsh winhttp show proxy: none")
        facts.proxy = Seen(value, line)


READERS: dict[str, Reader] = {"nrptLocal": _local, "nrptPolicy": _policy, "ipsec": _ipsec, "proxy": _proxy}
"""By the section's name."""
