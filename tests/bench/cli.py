"""How long ``manageout status`` takes, beside a Python that does nothing; against a daemon that serves."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.report import Result, alternate, compared

NAMES = ("cli_status_ms",)
RUNS = 15
MANAGEOUT = Path(sys.executable).with_name("manageout")
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.9.9.1"]
[daemon]
fast_path = false
metrics = "off"
"""


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """``cli_status_ms``: the median wall time of the installed command, in milliseconds."""
    with tempfile.TemporaryDirectory() as name, _daemon(Path(name)) as runtime_dir:
        status = [str(MANAGEOUT), "status", "--runtime-dir", str(runtime_dir)]
        times = alternate(
            RUNS,
            status=lambda: _milliseconds(status),
            python=lambda: _milliseconds([sys.executable, "-c", ""]),
        )
    yield compared("cli_status_ms", times["status"], times["python"], "ms", "bare python")._replace(
        ratio=None
    )


@contextmanager
def _daemon(directory: Path) -> Iterator[Path]:
    file = directory / "site.toml"
    file.write_text(SITE + f'state_dir = "{directory / "state"}"\n')
    for make in ("ip link add bench0 type veth peer name bench1", "ip addr add 10.9.9.1/24 dev bench0"):
        subprocess.run(make.split(), check=True)
    run = [str(MANAGEOUT), "run", "--config", str(file), "--runtime-dir", str(directory)]
    daemon = subprocess.Popen(run, stderr=subprocess.DEVNULL)
    try:
        while not (directory / "control.sock").exists():
            if daemon.poll() is not None:
                raise RuntimeError(f"manageout run ended with {daemon.returncode}")
            time.sleep(0.05)
        yield directory
    finally:
        daemon.terminate()
        daemon.wait()
        subprocess.run(["ip", "link", "del", "bench0"], check=True)


def _milliseconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000
