"""What this machine says of itself; ``system/test_doctor_live.py`` has the rest."""

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


def test_all_tables_of_ours_and_no_others_are_known_by_name() -> None:
    for name in ("manageout", "manageout_guard", "manageout_timeouts"):
        assert live_host.ours({"table": {"family": "inet", "name": name}})
        assert live_host.ours({"rule": {"family": "inet", "table": name, "chain": "forward"}})
        assert not live_host.ours({"rule": {"family": "ip", "table": name, "chain": "forward"}})
    assert not live_host.ours({"rule": {"family": "inet", "table": "filter", "chain": "forward"}})
    assert not live_host.ours({"metainfo": {"version": "1.0.6"}})
    assert not live_host.ours("manageout")
