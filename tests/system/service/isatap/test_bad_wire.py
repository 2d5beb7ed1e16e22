"""ISATAP over a wire that loses, delays, repeats and reorders: what TCP carries arrives whole, at every speed."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from tests.system.service.isatap.test_join import BEHIND, HOST, ROUTER, SERVER, SPEEDS, Wire, wires
from tests.tools.this_kernel import require

BAD = "delay 5ms 3ms loss 2% duplicate 1% reorder 25% 50%"
BYTES = 1 << 20
SERVE = f"""
import random, socket
taken = socket.create_server(("{SERVER}", 99), family=socket.AF_INET6).accept()[0]
taken.sendall(random.Random(9).randbytes({BYTES}))
"""
FETCH = f"""
import hashlib, socket
made, digest = socket.create_connection(("{SERVER}", 99)), hashlib.sha256()
while data := made.recv(65536):
    digest.update(data)
print(digest.hexdigest())
"""


@pytest.fixture
def wire(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[Wire]:
    require("netem")
    yield from wires(namespaces, tmp_path)


@SPEEDS
def test_what_arrives_is_whole(wire: Wire, router: bool, host: bool) -> None:
    wire.router(router)
    wire.join("10.0.0.1", host)
    wait_until("the host reaches the server", wire.reaches, 20)
    for name in (ROUTER, HOST):
        wire.run(name, "tc", "qdisc", "add", "dev", "e0", "root", "netem", *BAD.split())
    wire.start(BEHIND, sys.executable, "-c", SERVE)
    wait_until("the server listens", lambda: ":99" in wire.run(BEHIND, "ss", "-6ltn").stdout, 10)
    found = wire.run(HOST, sys.executable, "-c", FETCH).stdout.strip()
    assert found == hashlib.sha256(random.Random(9).randbytes(BYTES)).hexdigest()
    assert wire.ask(ROUTER, "drops") == wire.ask(HOST, "drops") == []
