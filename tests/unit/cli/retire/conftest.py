"""A router that nobody has begun to retire."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Its site file; state and control socket are in the same directory."""
    path = tmp_path / "site.toml"
    folders = f'state_dir = "{tmp_path}"\nruntime_dir = "{tmp_path}"\n'
    isatap = '[isatap]\nlocators = ["10.0.0.5"]\nhosts = ["10.0.1.0/24"]\n'
    path.write_text(f'[site]\nprefix = "fd12:3456:789a::/48"\n{isatap}[daemon]\n{folders}')
    return str(path)
