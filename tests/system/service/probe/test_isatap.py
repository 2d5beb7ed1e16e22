"""Routers that are solicited and cannot answer; with those that do in system/doctor/look."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from manageout.linux.host import netns
from manageout.service.probe import isatap as probe_isatap
from tests.system.service.probe.test_path import FAR, NOBODY_NEAR, path, rules

__all__ = ["path"]


def test_routers_that_cannot_answer(path: None) -> None:
    with netns.inside("mo-pa"):
        off, own, none = probe_isatap.solicit([FAR, IPv4Address("10.1.0.2"), NOBODY_NEAR], wait=1.0)
    assert off.error == "10.2.0.2 says: it does not speak protocol 41"
    assert own.error == "it is this machine"
    assert none.error


def test_protocol_41_that_a_router_in_between_prohibits(path: None) -> None:
    rule = ["pref", "10", "ipproto", "41", "prohibit"]
    netns.run("mo-pm", ["ip", "rule", "add", *rule])
    try:
        with netns.inside("mo-pa"):
            (found,) = probe_isatap.solicit([FAR], wait=0.6)
    finally:
        netns.run("mo-pm", ["ip", "rule", "del", *rule])
    assert found.error == "10.1.0.1 says: prohibited (a packet filter refuses)"


@pytest.mark.parametrize("verdict", ["drop", "reject with icmpx admin-prohibited"])
def test_nftables_says_nothing_about_protocol_41(path: None, verdict: str) -> None:
    """Linux checks the upper checksum before it rejects, and finds none that it knows: even reject is silent."""
    body = f"chain f {{ type filter hook forward priority 0; policy accept;\n meta l4proto 41 {verdict}\n }}"
    with rules("mo-pm", body), netns.inside("mo-pa"):
        (found,) = probe_isatap.solicit([FAR], wait=0.3)
    assert found.error == "no answer in 0.3 s" and found.advertisement is None
