"""The units of the package: how exposed they are, and what of the file system they may write."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
WRITABLE = {
    "manageout": ["/proc/sys/net", "-/sys/fs/bpf"],
    "manageout-connect": ["/proc/sys/net", "-/etc/resolv.conf"],
    "manageout-join": ["/proc/sys/net"],
}


def settings(unit: str, name: str) -> list[str]:
    lines = (UNITS / f"{unit}.service").read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    ("unit", "tenths"), [("manageout", 23), ("manageout-connect", 22), ("manageout-join", 22)]
)
def test_exposure(unit: str, tenths: int) -> None:
    """In tenths, as systemd-analyze counts; it exits with 1 above the threshold."""
    judged = [f"--threshold={tenths}", str(UNITS / f"{unit}.service")]
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", *judged]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert "Overall exposure level" in result.stdout, result.stderr
    assert result.returncode == 0, "\n".join(line for line in result.stdout.splitlines() if "✓" not in line)


@pytest.mark.parametrize("unit", WRITABLE)
def test_nothing_else_can_be_written(unit: str) -> None:
    """Not even our own directory in /etc, where the keys are: ConfigurationDirectory= would open it."""
    assert settings(unit, "ProtectSystem") == ["strict"]
    assert settings(unit, "ReadWritePaths") == WRITABLE[unit]
    assert not settings(unit, "ConfigurationDirectory") and not settings(unit, "BindPaths")[1:]
