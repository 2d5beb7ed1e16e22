"""IPsec inside ISATAP, as DirectAccess sites have it: ESP between a manager and a machine beyond the router."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from tests.system.service.isatap.test_join import BEHIND, HOST, PREFIX, ROUTER, SERVER, Wire, stream, wires
from tests.tools.this_kernel import AES_GCM, require

MANAGER = f"{PREFIX}:1:0:5efe:a00:1e"
SPI = {(MANAGER, SERVER): "0x100", (SERVER, MANAGER): "0x101"}
FAST = pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])


@pytest.fixture
def wire(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[Wire]:
    require("esp6")
    yield from wires(namespaces, tmp_path)


def secure(wire: Wire, mode: str) -> None:
    """From now on both send each other ESP (RFC 4303), and drop anything else that comes from there."""
    for name, here in ((HOST, MANAGER), (BEHIND, SERVER)):
        for (source, to), spi in SPI.items():
            ends = ["src", source, "dst", to]
            state = [*ends, "proto", "esp", "spi", spi, "mode", mode, *AES_GCM]
            wire.run(name, "ip", "xfrm", "state", "add", *state)
            template = [*(ends if mode == "tunnel" else []), "proto", "esp", "mode", mode]
            way = "out" if source == here else "in"
            wire.run(name, *["ip", "xfrm", "policy", "add", *ends, "dir", way, "tmpl", *template])


def carried(wire: Wire) -> int:
    """Packets that the server has taken out of ESP."""
    told = wire.run(BEHIND, "ip", "-s", "xfrm", "state", "list", "dst", SERVER).stdout
    return sum(map(int, re.findall(r"(\d+)\(packets\)", told)))


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
@FAST
def test_it_passes_in_both_directions(wire: Wire, fast: bool, mode: str) -> None:
    router = wire.router(fast)
    wire.join("10.0.0.1", fast)
    wait_until("the host reaches the server", wire.reaches, 20)
    assert wire.host()["fast_path"]["on"] is fast
    secure(wire, mode)
    assert carried(wire) == 0
    wait_until("the host reaches the server by ESP", wire.reaches, 20)
    assert carried(wire) > 0
    wait_until("so does ESP in fragments", lambda: wire.reaches("-s", "3000"), 20)
    before = carried(wire)
    for direction in ((), ("--reverse",)):
        assert stream(wire, direction) >= 1_000_000
    assert carried(wire) > before + 1000
    assert wire.ask(ROUTER, "drops") == [] == wire.ask(HOST, "drops")
    assert router.poll() is None


@FAST
def test_a_table_of_ports_does_not_let_it_through(wire: Wire, fast: bool) -> None:
    """What is in it nobody on the way can tell, so only "any" means it."""
    router = wire.router(fast)
    wire.join("10.0.0.1", fast)
    site = wire.directory / "site.toml"
    site.write_text(site.read_text().replace('services = ["any"]', 'services = ["tcp", "udp", "icmp"]'))
    router.send_signal(signal.SIGHUP)
    rules = ["nft", "list", "chain", "inet", "manageout", "m0"]
    wait_until("the rules are the new ones", lambda: "udp" in wire.run(ROUTER, *rules).stdout, 20)
    wait_until("in the clear the host reaches the server", wire.reaches, 20)
    secure(wire, "transport")
    assert not wire.reaches()
    assert carried(wire) == 0
    (row,) = wire.ask(ROUTER, "drops")
    assert (row["reason"], row["to"], row["service"]) == ("policy", SERVER, "esp")
