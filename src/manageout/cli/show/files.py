"""Files that commands write where the user says."""

from pathlib import Path

import click

from manageout.errors import ManageoutError
from manageout.service.process.files import replace_file


def save(path: Path, content: bytes, option: str = "--output") -> None:
    """Replace ``path``, and make its folder. Raises :class:`ManageoutError`; ``option`` is what named the place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ManageoutError(f"{path.parent}: {error.strerror}", f"choose another {option}") from None
    replace_file(path, content, 0o644)


def write(path: Path, content: bytes) -> None:
    """As :func:`save`, and say so."""
    save(path, content)
    click.echo(f"{path} is written")
