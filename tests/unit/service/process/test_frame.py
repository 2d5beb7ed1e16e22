"""Texts beside the code of the layers that a daemon is made of: none is read for the first time while it runs."""

from pathlib import Path

import manageout
from manageout.service.process.frame import _TEXTS

PACKAGE = Path(manageout.__file__).parent
AS_IT_STARTS = {
    "linux/libraries.toml",  # with the rules
    "service/process/findings.toml",
    "service/process/metrics.toml",
    "service/tls/words.toml",  # at import
}
OF_COMMANDS = {
    "service/check/remarks.toml",
    "service/probe/words.toml",
    "service/state/phases.toml",
    "site/advice.toml",
}


def test_each_text_is_read_as_the_daemon_starts_or_said_by_commands_alone() -> None:
    listed = {f"{package.removeprefix('manageout.').replace('.', '/')}/{file}" for package, file in _TEXTS}
    layers = ("service", "site", "directory", "linux", "protocol", "wire")
    files = {str(file.relative_to(PACKAGE)) for layer in layers for file in (PACKAGE / layer).rglob("*.toml")}
    assert files == listed | AS_IT_STARTS | OF_COMMANDS
