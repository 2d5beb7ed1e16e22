"""The site files of the lab's daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.lab import network, site
from manageout.lab.topology import NAMES, topology
from manageout.site.contradictions import read_site


@pytest.mark.parametrize("name", NAMES)
def test_every_daemons_file_is_good(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STATE", tmp_path)
    wanted = topology(name)
    for node in site.daemon_nodes(wanted):
        network.directory(node).mkdir()
        read, plan = read_site(site.write_site_file(wanted, node, fast_path=False))
        assert (read.gateway is not None, read.isatap is not None) == (
            node == "gateway",
            node == wanted.router,
        )
        assert not read.daemon.fast_path and read.policy.managers[0].name == "helpdesk"
        assert str(plan.site) == "fd12:3456:789a::/48"
