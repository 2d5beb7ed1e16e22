"""The build of the eBPF objects: reproducible, quiet when nothing changed, with another compiler too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def project(folder: Path) -> Path:
    """A copy of what the build reads."""
    shutil.copytree(ROOT / "bpf", folder / "bpf")
    shutil.copy(ROOT / "build_bpf.py", folder)
    (folder / "src" / "manageout" / "bpf").mkdir(parents=True)
    return folder


def build(folder: Path, **environment: str) -> Path:
    argv = [sys.executable, str(folder / "build_bpf.py")]
    subprocess.run(argv, check=True, cwd=folder, env={**os.environ, **environment})
    return folder / "src" / "manageout" / "bpf" / "isatap.bpf.o"


def test_two_builds_in_two_places_are_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    first, second = (build(project(tmp_path / name)).read_bytes() for name in ("one", "another/place"))
    assert first == second
    assert str(tmp_path).encode() not in first


def test_nothing_is_built_again_without_a_change(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    built = build(project(tmp_path / "project"))
    os.utime(built, (2**31, 2**31))
    assert build(tmp_path / "project").stat().st_mtime == 2**31


def test_another_compiler(tmp_path: Path) -> None:
    """Where there is no clang: ziglang's, told where the kernel's headers are as a system's compiler would know."""
    headers = Path(pytest.importorskip("ziglang").__file__).parent / "lib" / "libc" / "include"
    include = f"-isystem{headers / 'x86-linux-any'} -isystem{headers / 'any-linux-any'}"
    compiler = "clang" if shutil.which("clang") else f"{sys.executable} -m ziglang clang {include}"
    assert build(project(tmp_path / "project"), BPF_CC=compiler).read_bytes()[:4] == b"\x7fELF"
