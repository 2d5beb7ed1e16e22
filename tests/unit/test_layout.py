"""The house rules that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "manageout"
TESTS = ROOT / "tests"
MAX_FILE = 500
MAX_FUNCTION = 60

# Sources whose test is not named after them; each says which test reads like its test.
LIVE_THEMES = ("live", "live_certificates", "live_host", "live_isatap", "live_names")
PROBES = {"test_probes": ("certificate", "clock", "dns"), "test_probe_paths": ("filter", "path", "router")}
RETIRE_STEPS = ("pilot", "remove", "report", "seen", "watch")
RULE_THEMES = (
    "addresses", "client", "connection", "deployment", "discovery", "dns", "evidence", "iphttps", "machine", "manager",
    "server",
)  # fmt: skip
TESTED_BY: dict[str, str] = {
    "doctor/farm_names.py": "unit/doctor/test_farm.py",
    "doctor/farm_domain.py": "unit/doctor/test_farm_text.py",
    "doctor/powershell_json.py": "unit/doctor/test_gathered.py",
    "doctor/cmdlet_shapes.py": "unit/doctor/test_cmdlets.py",
    "doctor/sections.py": "unit/doctor/test_read_cmdlets.py",
    "doctor/rules/remote_access.py": "unit/doctor/test_read_cmdlets.py",
    "doctor/powershell_table.py": "unit/doctor/test_powershell.py",
    "doctor/powershell_value.py": "unit/doctor/test_powershell.py",
    "service/kernel_findings.py": "system/test_kernel_watch.py",
    "service/cards.py": "system/test_kernel_watch.py",
    "linux/nft_rules.py": "system/test_firewalls.py",
    "service/fast_path_watch.py": "system/test_fast_path_watch.py",
    "linux/conntrack_forget.py": "system/test_conntrack.py",
    "linux/libnftables.py": "system/test_nft_table.py",
    "service/departed.py": "system/test_connection_limit.py",
    "service/revision.py": "system/test_policy.py",
    "cli/lab.py": "system/test_lab_network.py",
    **{
        name: "system/test_census.py"
        for name in (
            "cli/retire_census.py",
            "cli/retire_judge.py",
            "service/census.py",
            "service/census_names.py",
        )
    },
    "directory/census_samba.py": "system/test_census_ad.py",
    "lab/inject.py": "system/test_path.py",
    "lab/network.py": "system/test_lab_network.py",
    "lab/samba.py": "system/test_demo.py",
    "lab/run.py": "system/test_demo.py",
    "lab/servers.py": "system/test_path.py",
    "lab/site.py": "system/test_restart.py",
    "lab/steps.py": "system/test_demo.py",
    "lab/steps_directory.py": "system/test_demo.py",
    "lab/steps_isatap.py": "system/test_demo.py",
    "lab/steps_location.py": "system/test_demo.py",
    "lab/steps_names.py": "system/test_demo.py",
    "lab/steps_translation.py": "system/test_demo.py",
    "lab/web.py": "system/test_demo.py",
    **{
        f"doctor/{name}.py": "unit/doctor/test_findings_rules.py"
        for name in ("facts", "read_json", *(f"rules/{theme}" for theme in RULE_THEMES))
    },
    **{f"doctor/rules/{theme}.py": "unit/doctor/test_live_rules.py" for theme in LIVE_THEMES},
    "doctor/live.py": "unit/doctor/test_live_json.py",
    "doctor/reach.py": "unit/doctor/test_reach_hops.py",
    "doctor/rules/reach.py": "unit/doctor/test_reach_hops.py",
    "service/probe_client.py": "system/test_doctor_reach.py",
    "service/probe_host.py": "system/test_doctor_reach.py",
    "service/reach.py": "system/test_doctor_reach.py",
    "service/reach_forwarding.py": "system/test_doctor_reach_way.py",
    **{f"service/probe_{name}.py": f"system/{test}.py" for test, names in PROBES.items() for name in names},
    "linux/error_queue.py": "system/test_probe_paths.py",
    "linux/neighbour_table.py": "system/test_probe_paths.py",
    "cli/doctor_live.py": "system/test_doctor_live.py",
    "service/live.py": "system/test_doctor_live.py",
    "service/live_host.py": "system/test_doctor_live.py",
    "service/live_records.py": "system/test_doctor_live.py",
    "service/support_bundle.py": "system/test_doctor_live.py",
    "cli/rollout_ad.py": "system/test_gpo_publish.py",
    "directory/gpo_domain.py": "system/test_gpo_publish.py",
    "directory/gpo_samba.py": "system/test_gpo_publish.py",
    "directory/gss_tsig.py": "system/test_names_ad.py",
    "service/names.py": "system/test_names_service.py",
    "directory/router_record.py": "system/test_rollout_dns.py",
    "service/router_dns.py": "system/test_rollout_dns.py",
    "directory/update_answer.py": "system/test_dns_update.py",
    "cli/connect.py": "system/test_iphttps_tunnel.py",
    "protocol/dns64_answers.py": "transcript/test_dns64.py",
    "protocol/dns64_job.py": "transcript/test_dns64_validation.py",
    "protocol/isatap_advertising.py": "transcript/test_isatap_retire.py",
    **{f"cli/retire_{name}.py": "system/test_retire_lab.py" for name in RETIRE_STEPS},
    "directory/isatap_records.py": "system/test_retire_remove.py",
    "service/retire_remove.py": "system/test_retire_remove.py",
    "service/retire_chart.py": "unit/service/test_retire_report.py",
    "service/certificates.py": "unit/service/test_pki.py",
    "service/client_settings.py": "system/test_iphttps_tunnel.py",
    "service/dns64_upstream.py": "system/test_dns64.py",
    "service/iphttps_client.py": "system/test_iphttps_tunnel.py",
    "cli/names.py": "system/test_names_service.py",
    "service/names_removal.py": "system/test_names_service.py",
    "service/uplink.py": "system/test_restart_clients.py",
    "service/iphttps_connect.py": "system/test_iphttps_tunnel.py",
    "service/iphttps_server.py": "system/test_iphttps_tunnel.py",
    "service/isatap_io.py": "system/test_isatap_join.py",
    "linux/arp.py": "system/test_check_pool.py",
    "service/lease_report.py": "unit/service/test_lease_keeper.py",
    "service/lease_writer.py": "unit/service/test_lease_keeper.py",
    "service/presence.py": "unit/service/test_lease_keeper.py",
    "service/ipv4_side.py": "system/test_translation.py",
    "service/lease_arp.py": "system/test_translation.py",
    "service/own_lease.py": "system/test_leases.py",
    "service/role.py": "system/test_daemon.py",
    "service/translator.py": "system/test_translation.py",
    "service/translator_io.py": "system/test_translation.py",
}
NOTHING_TO_TEST = {"__init__.py", "__main__.py", "errors.py", "machine.py"}


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name not in NOTHING_TO_TEST)


def everything() -> list[Path]:
    return [ROOT / "build_bpf.py", *sorted(PACKAGE.rglob("*.py")), *sorted(TESTS.rglob("*.py"))]


def written() -> list[Path]:
    return sorted(TESTS.rglob("test_*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("source", sources(), ids=name)
def test_every_source_has_its_test(source: Path) -> None:
    relative = source.relative_to(PACKAGE)
    named = TESTED_BY.get(str(relative))
    if named is not None:
        assert (TESTS / named).exists(), f"{named} is gone"
        return
    mirror = TESTS / "unit" / relative.parent / f"test_{source.stem}.py"
    elsewhere = [
        path for path in written() if path.stem == f"test_{source.stem}" and "unit" not in path.parts
    ]
    assert mirror.exists() or elsewhere, f"write {name(mirror)}"


@pytest.mark.parametrize("test", sorted((TESTS / "unit").rglob("test_*.py")), ids=name)
def test_every_unit_test_has_its_source(test: Path) -> None:
    relative = test.relative_to(TESTS / "unit")
    if relative.parent == Path() and test.stem in ("test_layout", "test_build_bpf", "test_security"):
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
