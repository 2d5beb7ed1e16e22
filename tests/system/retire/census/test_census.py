"""Census, judgement and their log in the lab: real registries, zones by transfer, name servers, calls."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manageout.lab import bind, network, site
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, DNS_INTRANET, DOMAIN, HELPDESK, ISATAP_NAME, KIOSK, LAPTOP_NAME
from manageout.service.state.hosts import stored_hosts
from manageout.service.state.retire import RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.service.state.usage import UsageFile
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import Lab

LAB = pytest.mark.parametrize("lab", [("external-router", True)], indirect=True)
OLD = "2001:db8:0:1:0:5efe:a00:163"  # 10.0.1.99, of a router that is gone


def retire(node: str, *argv: str, file: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = file or network.directory(node) / "site.toml"
    command = [*MANAGEOUT, "retire", *argv, "--config", str(where)]
    return network.run(node, command, check=False)


def answer(node: str, *argv: str, code: int = 0) -> dict[str, Any]:
    result = retire(node, *argv, "--json")
    assert result.returncode == code, result.stderr
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def update(*lines: str) -> None:
    text = "\n".join([f"server {DNS_INTRANET}", *lines, "send"]) + "\n"
    network.run("dc", ["nsupdate"], text=text)


@pytest.fixture
def records(lab: Lab) -> Iterator[None]:
    """An old record, somebody's bare isatap, and native IPv6 of helpdesk."""
    names = (
        f"old.{DOMAIN} 60 AAAA {OLD}",
        f"isatap.{DOMAIN} 60 A {APP}",
        f"helpdesk.{DOMAIN} 60 AAAA fd12:9::30",
    )
    update(*(f"update add {name}" for name in names))
    yield
    update(*(f"update delete {name.replace(' 60 ', ' ')}" for name in names))


@pytest.fixture
def fresh(lab: Lab) -> Iterator[RetireStore]:
    store = RetireStore(network.directory(lab.router) / "state")
    wait_until("the registry is written", lambda: list(stored_hosts(store.path.parent, bytes(8))), 10)
    yield store
    store.path.unlink(missing_ok=True)


@LAB
def test_census_of_registry_and_zones(lab: Lab, records: None, fresh: RetireStore) -> None:
    result = retire(lab.router, "census")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stdout
    assert "not transferred" not in result.stdout
    key = str(bind.key_file())
    found = answer(lab.router, "census", "--dns", str(DNS_INTRANET), "--zone", DOMAIN, "--tsig", key)
    hosts = {row["ipv4"]: row for row in found["hosts"]}
    assert set(hosts) == {str(HELPDESK), "10.0.1.99"}
    helpdesk, old = hosts[str(HELPDESK)], hosts["10.0.1.99"]
    assert (helpdesk["routers"], helpdesk["native"]) == (["this router"], ["fd12:9::30"])
    assert helpdesk["last_seen"] > 1e9
    assert (old["routers"], old["foreign"]) == ([], True)
    assert old["records"] == [{"name": f"old.{DOMAIN}", "address": OLD}]
    says = {(row["name"], row["place"]): row["values"] for row in found["names"]}
    bare = says[f"isatap.{DOMAIN}", f"zone {DOMAIN}"]
    assert str(APP) in bare
    assert bare == says[f"isatap.{DOMAIN}", str(DNS_INTRANET)]
    assert says[ISATAP_NAME, str(DNS_INTRANET)] == [str(lab.topology.router_locator)]
    assert found["unseen"] == ["group policies: give --ad, or --policies with backups or a report"]
    assert fresh.phase() is Phase.COUNTED
    entry = fresh.last()
    assert entry is not None
    assert (entry.step, entry.by.partition("@")[0]) == (RetireStep.CENSUS, "root")
    assert {row["ipv4"] for row in fresh.found("host")} == set(hosts)


@LAB
def test_a_named_source_that_cannot_be_read_records_nothing(
    lab: Lab, fresh: RetireStore, tmp_path: Path
) -> None:
    for argv, says in (
        (["--zone", "other.example"], "zone other.example"),
        (["--zone-file", str(tmp_path / "none")], "No such file"),
        (["--policies", str(tmp_path)], "no backup of a group policy"),
        (["--registry", str(tmp_path / "none")], "No such file"),
        (["--tsig", str(tmp_path / "none"), "--zone", DOMAIN], "No such file"),
    ):
        result = retire(lab.router, "census", *argv)
        assert (result.returncode, says in result.stderr) == (1, True), result.stderr
        assert len(result.stderr.splitlines()) == 2
    assert fresh.phase() is Phase.NOT_BEGUN


@LAB
def test_what_cannot_be_seen_is_told(lab: Lab, fresh: RetireStore) -> None:
    file = network.directory(lab.router) / "elsewhere.toml"
    text = (network.directory(lab.router) / "site.toml").read_text()
    file.write_text(text.replace(f'domain = "{DOMAIN}"', 'domain = "elsewhere.example"'))
    argv = ("--dns", "192.0.2.1", "--dns", str(DNS_INTRANET), "--json", "--state-dir", str(fresh.path.parent))
    found = json.loads(retire(lab.router, "census", *argv, file=file).stdout)
    assert any(what.startswith("zone elsewhere.example") for what in found["unseen"])
    assert str(HELPDESK) in {row["ipv4"] for row in found["hosts"]}
    silent = [row for row in found["names"] if row["place"] == "192.0.2.1"]
    assert silent
    assert all(row["said"] and not row["values"] and not row["blocked"] for row in silent)


def call(address: object, port: int) -> None:
    network.run("helpdesk", ["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"])


@LAB
def test_judgement_of_real_calls(lab: Lab, fresh: RetireStore) -> None:
    gateway = str(network.directory("gateway") / "site.toml")
    result = retire(lab.router, "judge")
    assert result.returncode == 1
    assert "manageout retire census" in result.stderr
    answer(lab.router, "census")
    usage = UsageFile(fresh.path.parent)
    call(site.laptop_address(), 22)
    wait_until("the call is recorded", lambda: [row for row in usage.rows() if row.port == 22], 10)
    refused = retire(lab.router, "judge")
    assert refused.returncode == 1
    assert "judge is refused: its evidence is" in refused.stderr
    assert "--force" in refused.stderr
    assert fresh.phase() is Phase.COUNTED

    alone = answer(lab.router, "judge", "--force", code=1)
    (verdict,) = alone["verdicts"]
    assert (verdict["ipv4"], verdict["class"], verdict["serves"]) == (str(HELPDESK), "initiates", "nothing")
    assert "--gateway" in alone["blockers"][0]
    with_gateway = answer(lab.router, "judge", "--force", "--gateway", gateway)
    (verdict,) = with_gateway["verdicts"]
    assert (verdict["serves"], verdict["blockers"]) == ("lease", [])
    opened = {(each["protocol"], each["port"]) for each in verdict["opens"]}
    assert ("tcp", 22) in opened
    entry = fresh.last(RetireStep.JUDGE)
    assert entry is not None
    assert entry.forced
    assert entry.since < entry.at
    text = retire(lab.router, "judge", "--force", "--gateway", gateway).stdout
    assert max(map(len, text.splitlines())) <= 100
    assert "1 call clients by ISATAP: 0 will be served by native IPv6, 1 by a lease" in text


@LAB
def test_judgement_by_the_record_of_the_gateway_knows_the_names_of_clients(
    lab: Lab, fresh: RetireStore
) -> None:
    answer(lab.router, "census")
    usage = UsageFile(network.directory("gateway") / "state")
    call(site.laptop_address(), 22)
    wait_until("the call is recorded", lambda: [row for row in usage.rows() if row.port == 22], 10)
    gateway = str(network.directory("gateway") / "site.toml")
    found = answer(lab.router, "judge", "--force", "--gateway", gateway, "--usage", str(usage.path))
    assert LAPTOP_NAME in {each["client"] for each in found["verdicts"][0]["opens"]}
    missing = retire(lab.router, "judge", "--force", "--usage", "/nowhere/usage.db")
    assert missing.returncode == 2
    assert "'/nowhere/usage.db' does not exist" in missing.stderr


@LAB
def test_the_status(lab: Lab, fresh: RetireStore) -> None:
    assert answer(lab.router, "status")["phase"] == "not begun"
    answer(lab.router, "census")
    found = answer(lab.router, "status")
    assert (found["phase"], [each["step"] for each in found["entries"]]) == ("counted", ["census"])
    assert found["watched"] > 0
    text = retire(lab.router, "status").stdout
    assert "Phase: counted" in text
    assert "manageout retire judge" in text
    assert max(map(len, text.splitlines())) <= 100
    assert str(KIOSK) not in text
