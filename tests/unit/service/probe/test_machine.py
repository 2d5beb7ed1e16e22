"""What this machine says of itself; ``system/doctor/look/test_live.py`` has the rest."""

from __future__ import annotations

from pathlib import Path

from manageout.service.probe import machine as live_host


def test_tables_that_nft_does_not_show(tmp_path: Path) -> None:
    (tmp_path / "ip_tables_names").write_text("nat\nfilter\n")
    (tmp_path / "ip6_tables_names").write_text("")
    assert live_host.legacy_tables(tmp_path) == ["ip nat", "ip filter"]
    assert live_host.legacy_tables(tmp_path / "none") == []


def test_parameters_that_exist() -> None:
    assert dict(live_host.sysctls())["net.ipv4.ip_forward"] in ("0", "1")
