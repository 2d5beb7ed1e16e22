"""Publish group policies into Active Directory, show what differs, and restore what was there before.

Before anything is written, what is there is saved in a file of its own below the folder of backups.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from manageout.directory.ad.domain import Domain, Halfway
from manageout.directory.ad.state import DomainState
from manageout.errors import ManageoutError
from manageout.service.process.files import replace_file
from manageout.windows import gpo
from manageout.words import texts

Say = Callable[[str], None]
Backup = dict[str, Any]
_texts = partial(texts, "manageout.rollout")


def compare(domain: Domain, wanted: Sequence[gpo.WantedPolicy]) -> list[str]:
    """What differs between the directory and ``wanted``; also why it could not be published."""
    found = domain.read(gpo.questions(wanted))
    gpo.refuse(wanted, found)
    return gpo.differences(wanted, found)


def publish(domain: Domain, wanted: Sequence[gpo.WantedPolicy], backups: Path, say: Say) -> Path | None:
    """Make the directory as ``wanted`` says; the backup that was made, None when nothing differed.

    Raises :class:`ManageoutError`; then everything is as it was, unless it is a :class:`Halfway`.
    """
    found = domain.read(gpo.questions(wanted))
    gpo.refuse(wanted, found)
    after = gpo.desired(wanted, found, _used(backups, domain.name))
    if not after["policies"] and not after["links"]:
        return None
    file = _write(domain, backups, gpo.part(found, after), after, say)
    left = gpo.differences(wanted, domain.read(gpo.questions(wanted)))
    if left:
        raise ManageoutError(*_texts("not-as-written", left=left[0], file=file))
    return file


def remove(domain: Domain, guids: Sequence[str], backups: Path, say: Say) -> Path | None:
    """Remove our policies and their links; :func:`undo` brings them back. None when none of them is there.

    Raises as :func:`publish`.
    """
    found = domain.read(gpo.of(guids))
    after = gpo.without(guids, found)
    if not after["policies"]:
        return None
    return _write(domain, backups, gpo.part(found, after), after, say)


def undo(domain: Domain, backups: Path, say: Say) -> list[str]:
    """Restore what the newest backup that is not undone holds; what was changed by hand meanwhile is saved too.

    Returns what was different from what had been published. Raises :class:`ManageoutError`.
    """
    newest = next((each for each in _all(backups, domain.name) if not each[1]["undone"]), None)
    if newest is None:
        raise ManageoutError(*_texts("nothing-to-undo", domain=domain.name, backups=backups))
    file, backup = newest
    questions = gpo.of(backup["before"]["policies"], backup["before"]["links"])
    found = domain.read(questions)
    after = gpo.undone(backup["before"], found)
    changed = _by_hand(backup["after"], found)
    if after["policies"] or after["links"]:
        _write(domain, backups, gpo.part(found, after), after, say, undone=True)
    left = gpo.undone(backup["before"], domain.read(questions))
    if rest := [*left["policies"], *left["links"]]:
        raise ManageoutError(*_texts("not-restored", left=rest[0], file=file))
    _save(file, backup | {"undone": _now()})
    return changed


def pending(backups: Path, domain: str) -> bool:
    """Whether :func:`undo` has something to restore."""
    return any(not backup["undone"] for _, backup in _all(backups, domain))


def _write(
    domain: Domain, backups: Path, before: DomainState, after: DomainState, say: Say, *, undone: bool = False
) -> Path:
    file, made = _free(backups), _now()
    backup = {"domain": domain.name, "made": made, "before": before, "after": after}
    _save(file, backup | {"undone": made if undone else None})
    try:
        domain.put(before, after, say)
    except Halfway as error:
        _save(file, backup | {"undone": None})
        raise Halfway(*_texts("halfway", fault=error.message, file=file)) from None
    except ManageoutError:
        file.unlink()
        raise
    return file


def _by_hand(after: DomainState, found: DomainState) -> list[str]:
    lines = []
    for guid, policy in after["policies"].items():
        now = found["policies"].get(guid)
        if policy is None or now is None:
            lines += [] if policy is now else [f"{guid} is {'gone' if now is None else 'there again'}"]
            continue
        name = (policy["attributes"] or {}).get("displayName", guid)
        lines += [f"{name}: its object"] if now["attributes"] != policy["attributes"] else []
        lines += [f"{name}: its files"] if now["files"] != policy["files"] else []
    return lines


def _used(backups: Path, domain: str) -> dict[str, int]:
    """The highest version of each policy in any backup: machines remember the number they have seen."""
    used: dict[str, int] = {}
    for _, backup in _all(backups, domain):
        for state in (backup["before"], backup["after"]):
            for guid, policy in state["policies"].items():
                used[guid] = max(used.get(guid, 0), gpo.version(policy))
    return used


def _all(backups: Path, domain: str) -> Iterator[tuple[Path, Backup]]:
    """The backups of ``domain``, newest first."""
    for file in sorted(backups.glob("gpo-*.json"), reverse=True):
        try:
            backup = json.loads(file.read_text())
            fits = backup["domain"] == domain and {"before", "after", "undone"} <= backup.keys()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ManageoutError(*_texts("no-backup", file=file, fault=error)) from None
        if fits:
            yield file, backup


def _free(backups: Path) -> Path:
    try:
        backups.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ManageoutError(*_texts("no-folder", backups=backups, fault=error.strerror)) from None
    return backups / f"gpo-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z.json"


def _save(file: Path, backup: Backup) -> None:
    replace_file(file, json.dumps(backup, indent=1).encode(), 0o600)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
