"""The collector's JSON (``manageout doctor --collector`` prints the script) -> facts. CIM's words, in no language."""

import json
from datetime import UTC, datetime
from typing import Any

from manageout.doctor.facts import Facts, Seen
from manageout.doctor.read.sections import MAX_ITEMS, MAX_TEXT, READERS, add
from manageout.errors import ManageoutError

VERSION = 1
MAX_TIME = 4e9
"""Unix time of the year 2096; whatever is beyond is no clock."""


def is_bundle(text: str) -> bool:
    """Whether ``text`` claims to be the collector's."""
    return '"collector"' in text[:2000] and "manageout" in text[:2000]


def load(source: str, text: str) -> dict[str, Any]:
    """The collector's object; its ``sections`` are one too. Raises :class:`ManageoutError` for what is no such file."""
    try:
        bundle = json.loads(text)
        found, version = bundle["sections"], bundle["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = "run the script of `manageout doctor --collector` again"
        raise ManageoutError(f"{source}: not whole, or not from the collector", hint) from None
    if version != VERSION or not isinstance(found, dict):
        raise ManageoutError(f"{source}: version {version} of the collector", f"this knows version {VERSION}")
    return dict(bundle)


def read(facts: Facts, text: str) -> None:
    """Add to ``facts`` what the collector found. Raises as :func:`load`."""
    bundle = load(facts.source, text)
    found = bundle["sections"]
    facts.computer = str(bundle.get("computer") or "")[:255]
    facts.build = bundle.get("build") if isinstance(bundle.get("build"), int) else None
    facts.clock = _clock(bundle.get("taken"))
    facts.sections = frozenset(name for name in READERS if name in found)
    facts.understood = bool(facts.sections or bundle.get("errors"))
    for name, reader in READERS.items():
        if (rows := found.get(name)) is not None:
            add(facts, name, reader, rows)
    errors = bundle.get("errors")
    for name, message in errors.items() if isinstance(errors, dict) else ():
        if len(facts.unread) < MAX_ITEMS:
            facts.unread.append(f"{name}: {message}"[:MAX_TEXT])
    _role(facts, found)


def _clock(taken: object) -> Seen[float] | None:
    """What the machine took for the time. Nonsense is a time too, and is shown as it is."""
    if isinstance(taken, bool) or not isinstance(taken, int | float):
        return None
    if not 0 <= taken <= MAX_TIME:
        return Seen(-1.0, f"the clock said {str(taken)[:40]}, which is no time")
    return Seen(float(taken), f"the clock said {datetime.fromtimestamp(taken, UTC):%Y-%m-%d %H:%M:%S} UTC")


def _role(facts: Facts, found: dict[str, Any]) -> None:
    if found.get("remoteAccess"):
        facts.role = "server"
    elif facts.block_list is not None:
        facts.role = "dns"
    elif facts.isatap_state is not None and facts.isatap_state.value == "enabled":
        facts.role = "manager"
    elif facts.iphttps_url is not None or facts.nrpt:
        facts.role = "client"
