"""An archive for somebody who helps from afar: what this machine is, does and found, without secrets.

Everything is bounded, passes the :class:`Redactor`, and is written in one step for its owner alone. The doctor reads
such an archive again by its ``live.json``.
"""

import io
import json
import platform
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manageout import __version__
from manageout.doctor.diagnosis import Diagnosis
from manageout.doctor.look.live import LiveScope
from manageout.doctor.look.redact import Redactor, secrets_of
from manageout.doctor.report import live_json
from manageout.errors import ManageoutError
from manageout.service.probe.results import Live
from manageout.service.process.files import replace_file
from manageout.words import said, toml_of

MAX_ROWS = 5000
"""Of one answer of the control socket."""
MAX_MEMBER = 3 * 1024 * 1024
"""Characters of one file in the archive."""
MAX_TOTAL = 16 * 1024 * 1024
"""Characters of all of them; the last ones are cut."""
WAIT = 10.0
"""Seconds for one program."""


def save(path: Path, wanted: LiveScope, live: Live, found: Sequence[Diagnosis], site_file: Path) -> None:
    """Write the archive. Raises :class:`ManageoutError` when it cannot be written."""
    redactor = Redactor(secrets_of(wanted.site))
    buffer = io.BytesIO()
    left = MAX_TOTAL
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _members(wanted, live, found, site_file):
            archive.writestr(name, redactor.clean(text[: min(MAX_MEMBER, left)]))
            left = max(left - len(text), 1000)
    replace_file(path, buffer.getvalue(), 0o600)


def _members(
    wanted: LiveScope, live: Live, found: Sequence[Diagnosis], site_file: Path
) -> Iterator[tuple[str, str]]:
    holds = toml_of("manageout.doctor.look", "support_bundle.toml")
    moment = datetime.fromtimestamp(live.taken, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield "README.txt", holds["readme"].format(version=__version__, moment=moment, host=live.host)
    yield live_json.FILE, live_json.to_json(live)
    yield "findings.json", json.dumps([finding._asdict() for finding in found], indent=1)
    yield "versions.txt", _versions()
    yield "site.toml", _text(site_file)
    if wanted.plan is not None:
        yield "plan.txt", "".join(f"{name}: {value}\n" for name, value in vars(wanted.plan).items())
    for command in holds["control"]:
        yield f"control/{command}.json", _answer(wanted, command)
    for name, argv in holds["programs"].items():
        yield f"kernel/{name}", _output(argv)
    for name, file in holds["files"].items():
        yield f"kernel/{name}", _text(Path(file))


def _answer(wanted: LiveScope, command: str) -> str:
    try:
        answer: Any = wanted.ask(command)
    except ManageoutError as error:
        answer = {"error": error.message}
    if isinstance(answer, list) and len(answer) > MAX_ROWS:
        answer = [*answer[:MAX_ROWS], {"left out": len(answer) - MAX_ROWS}]
    return json.dumps(answer, indent=1)


def _output(argv: Sequence[str]) -> str:
    """What a program prints; why it does not, in its place."""
    if shutil.which(argv[0]) is None:
        return f"{argv[0]} is not installed\n"
    try:
        result = subprocess.run(argv, capture_output=True, timeout=WAIT, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{argv[0]}: {type(error).__name__}\n"
    text = result.stdout[: MAX_MEMBER * 2].decode("utf-8", "replace")
    return text or result.stderr[:4096].decode("utf-8", "replace")


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_MEMBER)
    except OSError as error:
        return f"{path}: {said(error)}\n"


def _versions() -> str:
    lines = [f"manageout {__version__}", f"python {platform.python_version()}"]
    lines += [f"kernel {platform.release()} {platform.machine()}", f"time {time.time():.0f}"]
    programs = (("nft", "--version"), ("ip", "-V"), ("samba-tool", "--version"))
    return "\n".join([*lines, *(f"{argv[0]}: {_output(argv).strip()}" for argv in programs)]) + "\n"
