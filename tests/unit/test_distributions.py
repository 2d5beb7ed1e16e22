"""What `make wheel` writes: the same bytes whenever and wherever it is built, and all that is needed inside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from manageout.site.contradictions import contradictions
from manageout.site.plan import plan
from manageout.site.tables.site import parse

ROOT = Path(__file__).parents[2]


def build(source: Path, into: Path, target: str, umask: int) -> Path:
    """What hatchling makes of ``source``; its only file in ``into``."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)],
        check=True,
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        umask=umask,
        capture_output=True,
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    return build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist", 0o022)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang")
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel", 0o022)


def test_sources_are_the_same_again_and_hold_nothing_built(sdist: Path, tmp_path: Path) -> None:
    assert build(ROOT, tmp_path, "sdist", 0o077).read_bytes() == sdist.read_bytes()
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"bpf/isatap.bpf.c", "build_bpf.py", "pyproject.toml", "LICENSE", "bpf/LICENSE"} <= names
    assert not [name for name in names if name.endswith((".o", ".pyc"))]


def test_the_wheel_of_the_unpacked_sources_is_the_same(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)  # filters of tarfile: Python 3.11.4
    (unpacked,) = tmp_path.iterdir()
    again = build(unpacked, tmp_path / "wheel", "wheel", 0o077)
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_is_of_a_platform_and_has_every_object(wheel: Path) -> None:
    assert "-py3-none-linux_" in wheel.name
    with ZipFile(wheel) as archive:
        objects = {Path(name).name for name in archive.namelist() if name.endswith(".o")}
    assert objects == {source.name[:-2] + ".o" for source in (ROOT / "bpf").glob("*.bpf.c")}


def test_the_packaged_example_is_a_site_file_and_that_of_the_guide() -> None:
    text = (ROOT / "packaging" / "etc" / "site.toml.example").read_text()
    site = parse(text)
    assert contradictions(site, plan(site)) == []
    guide = (ROOT / "docs" / "guide" / "first-site.md").read_text()
    assert parse(guide.partition("```toml\n")[2].partition("```")[0]) == site


def test_what_the_package_needs_is_pinned_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[<>=]", need)[0] for need in project["project"]["dependencies"]}
    tools = {re.split(r"[<>=]", need)[0] for need in project["build-system"]["requires"]}
    for name, needs in (
        ("requirements", wanted),
        ("requirements-build", wanted | tools),
        ("requirements-sbom", {"cyclonedx-bom"}),
    ):
        entries = re.split(r"^(?=\w)", (ROOT / "packaging" / f"{name}.txt").read_text(), flags=re.M)
        pinned = {entry.split("==")[0] for entry in entries if "==" in entry and "--hash=sha256:" in entry}
        assert len(pinned) == len([entry for entry in entries if entry.strip()])
        assert needs <= pinned
