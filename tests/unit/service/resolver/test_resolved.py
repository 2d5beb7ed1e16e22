"""What systemd-resolved is told, and told again; with a real one in tests/system/service/resolver/test_resolved.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.resolver.resolved import Resolved

# Notes its words; fails for the one that stands in the file "bad".
RESOLVECTL = """#!/bin/sh
cd "${0%/*}" || exit
echo "$*" >>told
[ ! -e bad ] || [ "$(cat bad)" != "$1" ] || { echo "Connection timed out" >&2; exit 1; }
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "resolvectl"
    program.write_text(RESOLVECTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def reverts(place: Path) -> int:
    return (place / "told").read_text().splitlines().count("revert tun0")


async def apply(link: Resolved) -> None:
    await link.apply(["fd12::53"], ["corp.example"], [])


def test_what_could_not_be_taken_back_is_taken_back_later(place: Path) -> None:
    """Else names of the site would go on through the tunnel, with the policy shown as off."""

    async def main() -> None:
        link = Resolved("tun0")
        await apply(link)
        (place / "bad").write_text("revert")
        with pytest.raises(ManageoutError, match="Connection timed out"):
            await link.revert()
        (place / "bad").unlink()
        await link.revert()
        await link.revert()

    asyncio.run(main())
    assert reverts(place) == 2


def test_half_of_it_is_taken_back_too(place: Path) -> None:
    async def main() -> None:
        link = Resolved("tun0")
        await link.revert()
        (place / "bad").write_text("dns")
        with pytest.raises(ManageoutError, match="resolvectl dns tun0"):
            await apply(link)
        await link.revert()

    asyncio.run(main())
    assert reverts(place) == 1
