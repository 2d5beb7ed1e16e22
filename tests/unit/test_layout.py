"""The house rules that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import house

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "manageout"
TESTS = ROOT / "tests"
MAX_FILE = 500
MAX_FUNCTION = 60

# Sources whose test is not named after them: what reads like their test, and theirs.
ELSEWHERE: dict[str, str] = {
    "system/cli/rollout/test_dns.py": "directory/dns/router_record service/names/router_dns",
    "system/directory/ad/test_domain.py": "cli/rollout/ad directory/ad/gpo_samba",
    "system/directory/dns/test_update.py": "directory/dns/answer",
    "system/doctor/look/test_live.py": "cli/doctor/live doctor/look/records",
    "system/doctor/look/test_reach.py": "service/probe/client service/probe/host",
    "system/doctor/look/test_reach_way.py": "doctor/look/forwarding",
    "system/lab/test_demo.py": (
        "lab/run lab/samba lab/demo/steps lab/demo/directory lab/demo/isatap lab/demo/location "
        "lab/demo/names lab/demo/translation lab/web"
    ),
    "system/lab/test_network.py": "cli/lab",
    "system/linux/netlink/test_conntrack.py": "linux/netlink/netfilter",
    "system/linux/nft/test_tables.py": "linux/nft/libnftables",
    "system/retire/census/test_census.py": "cli/retire/census cli/retire/judge retire/census/names",
    "system/retire/test_remove.py": "directory/dns/isatap_records",
    "system/retire/test_way_out.py": "cli/retire/pilot cli/retire/remove cli/retire/report cli/retire/seen",
    "system/service/check/test_pool.py": "linux/packets/arp",
    "system/service/daemon/test_daemon.py": "service/daemon/roles service/process/role",
    "system/service/daemon/test_kernel_watch.py": "service/daemon/cards service/daemon/kernel_findings",
    "system/service/daemon/test_restart.py": "lab/site",
    "system/service/dns64/test_dns64.py": "service/dns64/upstream",
    "system/service/iphttps/test_connect.py": "cli/connect service/iphttps/settings",
    "system/service/iphttps/test_restart_clients.py": "service/iphttps/uplink",
    "system/service/isatap/test_join.py": "service/isatap/io",
    "system/service/isatap/test_path.py": "lab/inject lab/servers",
    "system/service/leases/test_leases.py": "service/resolver/own_lease",
    "system/service/names/test_names.py": "cli/reading/names service/names/removal",
    "system/service/policy/test_firewalls.py": "linux/nft/rules",
    "system/service/policy/test_policy.py": "service/policy/revision",
    "system/service/probe/test_path.py": (
        "linux/packets/error_queue service/probe/filter service/probe/router"
    ),
    "system/service/probe/test_probes.py": (
        "service/probe/certificate service/probe/clock service/probe/dns"
    ),
    "system/service/translate/test_translator.py": (
        "service/translate/ipv4_side service/translate/lease_arp service/translate/io"
    ),
    "transcript/dns/test_dns64.py": "protocol/dns/answers",
    "transcript/dns/test_dns64_validation.py": "protocol/dns/job",
    "transcript/dns/test_stub.py": "service/resolver/stub",
    "transcript/isatap/test_retire.py": "protocol/isatap/advertising",
    "unit/doctor/powershell/test_cmdlets.py": "doctor/powershell/shapes",
    "unit/doctor/powershell/test_gathered.py": "doctor/powershell/json",
    "unit/doctor/powershell/test_read.py": "doctor/read/sections",
    "unit/doctor/powershell/test_records.py": "doctor/powershell/table doctor/powershell/value",
    "unit/doctor/reach/test_hops.py": "doctor/reach/reach doctor/rules/reach",
    "unit/doctor/report/test_live_json.py": "service/probe/results",
    "unit/doctor/rules/test_catalogue.py": "doctor/rules/rule",
    "unit/doctor/rules/test_live_host.py": (
        "doctor/rules/live_certificates doctor/rules/live_isatap doctor/rules/live_names"
    ),
    "unit/doctor/test_diagnosis_rules.py": (
        "doctor/facts doctor/read/json doctor/rules/client doctor/rules/dns doctor/rules/firewall "
        "doctor/rules/iphttps doctor/rules/isatap doctor/rules/location doctor/rules/nrpt "
        "doctor/rules/preference doctor/rules/server"
    ),
    "unit/imports/test_farm.py": "imports/names",
    "unit/imports/test_farm_text.py": "imports/domain",
    "unit/retire/test_report.py": "retire/chart",
    "unit/service/leases/test_keeper.py": (
        "service/leases/report service/leases/writer service/process/presence"
    ),
    "unit/service/tls/test_pki.py": "service/tls/certificates",
}
TESTED_BY = {f"{source}.py": test for test, names in ELSEWHERE.items() for source in names.split()}
NOTHING_TO_TEST = {"__init__.py", "__main__.py", "errors.py", "machine.py"}


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name not in NOTHING_TO_TEST)


def everything() -> list[Path]:
    return [ROOT / "build_bpf.py", *sorted(PACKAGE.rglob("*.py")), *sorted(TESTS.rglob("*.py"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("source", sources(), ids=name)
def test_every_source_has_its_test(source: Path) -> None:
    relative = source.relative_to(PACKAGE)
    named = TESTED_BY.get(str(relative))
    if named is not None:
        assert (TESTS / named).exists(), f"{named} is gone"
        return
    own = house.own_tests(relative.with_suffix("").parts)
    assert any(path.exists() for path in own), f"write {name(own[0])}"


@pytest.mark.parametrize("test", sorted((TESTS / "unit").rglob("test_*.py")), ids=name)
def test_every_unit_test_has_its_source(test: Path) -> None:
    relative = test.relative_to(TESTS / "unit")
    if relative.parent == Path() and test.stem in (
        "test_architecture",
        "test_build_bpf",
        "test_house",
        "test_layout",
        "test_security",
    ):
        return
    stem = test.stem.removeprefix("test_")
    folder = PACKAGE / relative.parent
    split = stem.rpartition("_")[0]  # test_nd_vectors.py is a second file for nd.py
    assert any((folder / f"{part}.py").exists() for part in (stem, split)), "nothing of that name to test"


@pytest.mark.parametrize("path", everything(), ids=name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE
    for node in functions(ast.parse(text)):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length <= MAX_FUNCTION, f"{node.name} has {length} lines"


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", everything(), ids=name)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "no module docstring"


@pytest.mark.parametrize("path", everything(), ids=name)
def test_nothing_is_left_for_later(path: Path) -> None:
    marks = re.findall(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", path.read_text())
    assert not marks


def test_documents_that_are_named_exist() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^):#]+)\)", page.read_text())}
    missing = {f"{name(page)}: {link}" for page, link in links if not (page.parent / link).exists()}
    for path in everything():
        named = re.findall(r"docs/[\w/-]+\.md", path.read_text())
        missing |= {f"{name(path)}: {document}" for document in named if not (ROOT / document).exists()}
    assert not missing


def test_the_command_starts_without_the_heavy_libraries() -> None:
    """What every invocation pays for: `manageout status` has 150 ms in all."""
    heavy = ("pyroute2", "pydantic", "rich", "dns", "cryptography", "uvloop", "asyncio")
    code = f"import sys, manageout.cli; print(*[m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
