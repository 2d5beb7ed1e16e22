"""``manageout pki``: what it prints is what one needs next."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from manageout.cli.pki import pki
from tests.tools import commands


def run(*arguments: str) -> str:
    return commands.run(pki, *arguments).output


def test_from_nothing_to_a_revoked_client(tmp_path: Path) -> None:
    where = str(tmp_path / "pki")
    assert "manageout pki issue" in run("init", where, "--name", "Corp CA")
    printed = run("issue", "gateway.corp.example", "--server", "--dir", where)
    gateway = tomllib.loads(printed[printed.index("[gateway]") :])["gateway"]
    assert all(Path(path).exists() for path in gateway.values())
    assert set(gateway) == {"certificate", "key", "client_ca", "client_crl"}
    assert "manageout connect https://GATEWAY/IPHTTPS --cert laptop.pem" in run(
        "issue", "laptop", "--dir", where
    )
    assert "revoked      laptop (serial" in run("revoke", "laptop", "--dir", where)
    assert "crl.pem" in run("crl", "--dir", where, "--days", "10")
    shown = json.loads(run("show", "--dir", where, "--json"))
    assert [(item["name"], item["usage"], item["state"]) for item in shown["issued"]] == [
        ("gateway.corp.example", "server", "good"),
        ("laptop", "client", "revoked"),
    ]
    assert "CN=Corp CA" in run("show", "--dir", where)


def test_the_life_of_the_revocation_list_is_said_wherever_one_is_written(tmp_path: Path) -> None:
    where = str(tmp_path / "pki")
    renew = f"manageout pki crl --dir {where}"
    for days, printed in (
        (365, run("init", where)),
        (20, run("crl", "--dir", where, "--days", "20")),
        (365, run("issue", "laptop", "--dir", where)),  # 20 days are too few to leave
        (365, run("revoke", "laptop", "--dir", where)),
    ):
        assert f"ends in {days} days, on 2" in printed and renew in printed
    assert "ends in" not in run("issue", "tablet", "--dir", where)
