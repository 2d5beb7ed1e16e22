"""The demo passes in both topologies, with and without eBPF, and leaves nothing."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from manageout.lab.demo.steps import steps_of
from manageout.lab.topology import NAMES, programs
from tests.tools.commands import MANAGEOUT, manageout
from tests.tools.lab import machine_state


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ad", [False, True], ids=["bind", "ad"])
@pytest.mark.parametrize("name", NAMES)
def test_demo(name: str, ad: bool, tmp_path: Path) -> None:
    if ad and (missing := [program for program in programs("samba") if shutil.which(program) is None]):
        pytest.skip(f"needs {', '.join(missing)}: Debian's samba-ad-dc, ldb-tools, krb5-user")
    if ad:
        pytest.importorskip("gssapi", reason="needs the extra manageout[ad]")
    before = machine_state()
    file = tmp_path / "demo.json"
    options = ["--ad"] if ad else []
    arguments = ["lab", "demo", "--topology", name, "--json", str(file), *options]
    result = manageout(*arguments, check=False, seconds=280)
    print(result.stdout)
    steps = json.loads(file.read_text())
    assert [step for step in steps if step["verdict"] != "ok"] == []
    assert result.returncode == 0, result.stderr
    assert [step["name"] for step in steps] == 2 * [name for name, *_ in steps_of(ad=ad)]
    assert "192.168.1.0/24" in result.stdout and "fd12:3456:789a:1:0:5efe:a00:11e" in result.stdout
    assert machine_state() == before


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing(sign: signal.Signals, code: int) -> None:
    before = machine_state()
    argv = [*MANAGEOUT, "lab", "demo"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout and demo.stderr
        assert any("laptop connects" in line for line in demo.stdout)
        demo.send_signal(sign)
        demo.stdout.read()
        assert demo.stderr.read() == ""
        assert demo.wait(30) == code
    assert machine_state() == before
