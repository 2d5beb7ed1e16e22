"""``manageout status``: what an administrator needs at three in the morning."""

from __future__ import annotations

import time
from typing import Any

import click

from manageout.cli.reading.status import render

NOW = time.time()


def status(**changes: Any) -> Any:
    return {
        "what": "daemon",
        "version": "1.2.3",
        "pid": 42,
        "node": "gw",
        "since": NOW - 300,
        "config": {"file": "/etc/manageout/site.toml", "loaded": NOW, "rejected": None},
        "roles": {
            "isatap": {"ready": True, "fast_path": {"on": False, "reason": "no libbpf"}, "hosts": 3, "name": "x"},
            "iphttps": {"ready": False, "clients": 2, "certificate": {"subject": "g", "not_after": NOW + 86400 + 3000}},
        },
        "links": [
            {
                "name": "mo-isatap0", "up": True, "carrier": False, "mtu": 1280,
                "rx_packets": 1, "rx_bytes": 1, "tx_packets": 1, "tx_bytes": 1, "addresses": ["fe80::1/64"],
            }
        ],
        "findings": [],
        "recent_drops": {"seconds": 300, "counts": {"loop": 4}},
        "privileges": {"capabilities": ["CAP_NET_ADMIN"], "no_new_privs": True},
        "metrics": "off",
        **changes,
    }  # fmt: skip


def shown(**changes: Any) -> str:
    return click.unstyle(render(status(**changes)))


def test_all_of_it() -> None:
    text = shown()
    for part in (
        "1.2.3",
        "process 42",
        "/etc/manageout/site.toml",
        "off: no libbpf",
        "starting",
        "hosts          3",
        "clients        2",
        "in 24 h",
        "DOWN",
        "loop 4",
        "CAP_NET_ADMIN",
    ):
        assert part in text, part


def test_an_expired_certificate_shouts() -> None:
    roles = {"iphttps": {"certificate": {"subject": "g", "not_after": NOW - 1}}}
    assert "EXPIRED" in shown(roles=roles)


def test_a_rejected_reload_is_told_with_its_faults() -> None:
    rejected = {
        "at": time.time() - 600,
        "message": "site.toml: 1 fault",
        "remedy": "",
        "faults": [{"what": "isatap.mtu: 1 is too small", "remedy": "1280 or more"}],
    }
    text = shown(config={"file": "f", "loaded": NOW, "rejected": rejected})
    assert "REJECTED 10 min ago" in text
    assert "isatap.mtu: 1 is too small" in text and "1280 or more" in text
    restart = {
        "at": time.time(),
        "message": "needs a restart",
        "remedy": "systemctl restart manageout",
        "faults": [],
    }
    assert "systemctl restart manageout" in shown(config={"file": "f", "loaded": NOW, "rejected": restart})


def test_a_process_that_is_no_daemon() -> None:
    other = status(what="ISATAP host", roles={"isatap-host": {}})
    del other["config"], other["metrics"]
    text = click.unstyle(render(other))
    assert "ISATAP host, process 42" in text and "config" not in text


def test_values_of_every_kind() -> None:
    role = {"a": True, "b": False, "c": None, "d": [1, "x"], "e": {"k": 1}, "f": "\x1b[31m", "g": []}
    text = shown(roles={"r": role})
    for part in (
        "a              yes",
        "b              no",
        "c              -",
        "d              1, x",
        "e              k 1",
    ):
        assert part in text
    assert "\x1b" not in text


def test_findings_come_first_each_with_its_remedy() -> None:
    found = {
        "code": "POOL-EXHAUSTED",
        "severity": "error",
        "what": "3 clients\x1b wait",
        "remedy": "enlarge it",
    }
    lines = shown(findings=[found]).splitlines()
    assert lines[3:5] == ["  error POOL-EXHAUSTED: 3 clients? wait", "    enlarge it"]
    assert "POOL" not in shown(findings=[])
