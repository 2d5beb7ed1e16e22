"""Hatchling build hook: compile every ``bpf/*.bpf.c`` into ``src/manageout/bpf/*.o``.

The compiler is the C compiler inside the ``ziglang`` wheel (a build requirement, so no system package is
needed); set ``BPF_CC`` to use another one, for example ``BPF_CC=clang``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
OUTPUT = ROOT / "src" / "manageout" / "bpf"
_SOURCES_ARE_HERE = f"-ffile-prefix-map={ROOT}=."


def _compiler() -> list[str]:
    chosen = os.environ.get("BPF_CC")
    if chosen:
        multiarch = sysconfig.get_config_var("MULTIARCH") or ""
        return [*shlex.split(chosen), "-target", "bpfel", _SOURCES_ARE_HERE, f"-I/usr/include/{multiarch}"]
    import ziglang

    headers = Path(ziglang.__file__).parent / "lib" / "libc" / "include"
    # The last map that fits is taken, and the headers may lie in a virtual environment below the sources.
    return [
        sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding", "-nostdinc",
        f"-isystem{headers / 'x86-linux-any'}", f"-isystem{headers / 'any-linux-any'}",
        _SOURCES_ARE_HERE, f"-ffile-prefix-map={headers}=/zig",
    ]  # fmt: skip


def compile_all() -> list[Path]:
    """Compile every program and return the object files, newest source wins."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    objects = []
    inputs = [*ROOT.glob("bpf/**/*.h"), Path(__file__)]
    for source in sorted(ROOT.glob("bpf/*.bpf.c")):
        target = OUTPUT / (source.name.removesuffix(".c") + ".o")
        objects.append(target)
        newest = max(path.stat().st_mtime for path in [source, *inputs])
        if target.exists() and target.stat().st_mtime > newest:
            continue
        partial = target.with_suffix(".tmp")
        subprocess.run(
            [
                *_compiler(), "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror",
                "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-stack-protector",
                f"-I{ROOT / 'bpf' / 'lib'}", f"-I{ROOT / 'bpf'}",
                "-c", str(source), "-o", str(partial),
            ],
            check=True,
        )  # fmt: skip
        partial.replace(target)
    return objects


class BpfBuildHook(BuildHookInterface[Any]):
    """Puts the compiled objects into the wheel (and beside the sources for an editable install)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the wheel are collected."""
        build_data["artifacts"] += [str(path.relative_to(ROOT)) for path in compile_all()]
        if version == "standard":  # an editable one holds no object, only where the sources are
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data.update(pure_python=False, tag=f"py3-none-{platform}")


if __name__ == "__main__":
    for built in compile_all():
        print(built.relative_to(ROOT))
