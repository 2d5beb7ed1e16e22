"""The daemon's tables in the kernel: owned, nobody else can touch the rules; shared, they come and go as before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError, NotPermitted
from manageout.linux import libnftables, netns, nft
from manageout.linux.nft_sets import Change, NftSets
from manageout.linux.nft_table import GUARD_TABLE, RuleTables

RULES = """set names { type ipv6_addr; }
chain forward { type filter hook forward priority 0; policy accept; %s
}"""
GUARD = "chain forward { type filter hook forward priority -1; policy accept; }"
ONE, TWO = (bytes(15) + bytes([last]) for last in (1, 2))


@pytest.fixture
def tables(namespaces: Callable[[str], str]) -> Iterator[RuleTables]:
    with netns.inside(namespaces("mo-test-owned")):
        made = RuleTables()
        yield made
        made.delete()


@pytest.fixture
def shared(tables: RuleTables, monkeypatch: pytest.MonkeyPatch) -> RuleTables:
    """On a machine without the library."""
    monkeypatch.setattr(libnftables, "LIBRARY", "libnone.so")
    return tables


def command(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", *line.split()], capture_output=True, text=True, check=False)


def test_nobody_else_can_remove_or_change_the_rules(tables: RuleTables) -> None:
    tables.load(RULES % "", GUARD)
    assert tables.owned and not tables.shared
    command("flush ruleset")
    assert command(f"delete table {nft.TABLE}").returncode
    assert command(f"flush chain {nft.TABLE} forward").returncode
    assert "names" in (nft.table_text(nft.TABLE) or "")
    assert nft.table_text(GUARD_TABLE) is None, "that one is everybody's"
    tables.load(RULES % "ip6 daddr fd00::/8 drop", GUARD)
    assert "fd00::/8" in (nft.table_text(nft.TABLE) or "")
    assert nft.table_text(GUARD_TABLE) is not None


def test_members_change_over_the_owners_socket_only(tables: RuleTables) -> None:
    tables.load(RULES % "")
    ours, others = NftSets("manageout", lambda: tables.writer), NftSets("manageout")
    with pytest.raises(NotPermitted):
        others.change([Change("names", True, ONE)])
    ours.change([Change("names", True, ONE)])
    with pytest.raises(KernelError):
        ours.change([Change("names", False, TWO), Change("nothing", True, TWO), Change("names", False, TWO)])
    tables.load(RULES % "ip6 daddr fd00::/8 drop")  # after answers that nobody asked for
    ours.change([Change("names", True, TWO)])
    assert [each.key for each in ours.counted("names")] == [TWO]


def test_a_refused_load_changes_nothing(tables: RuleTables) -> None:
    tables.load(RULES % "")
    before = nft.table_text(nft.TABLE)
    with pytest.raises(KernelError, match="syntax error"):
        tables.load(RULES % "what is this")
    assert nft.table_text(nft.TABLE) == before


def test_what_a_killed_one_left_is_replaced(tables: RuleTables) -> None:
    nft.replace_table(nft.TABLE, "set old { type ipv6_addr; }")
    nft.replace_table(GUARD_TABLE, GUARD)
    tables.load(RULES % "")
    assert "old" not in (nft.table_text(nft.TABLE) or "")
    assert nft.table_text(GUARD_TABLE) is None


def test_the_rules_go_with_their_owner_and_the_guard_stays(tables: RuleTables) -> None:
    """As when it is killed: nothing but the descriptors tells."""
    code = f"""
import os, signal
from manageout.linux.nft_table import RuleTables
tables = RuleTables(); tables.load({RULES % ""!r}, {GUARD!r}); assert tables.owned
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert nft.table_text(nft.TABLE) is None
    assert nft.table_text(GUARD_TABLE) is not None


def test_without_the_library_the_rules_are_shared(shared: RuleTables) -> None:
    shared.load(RULES % "", GUARD)
    assert not shared.owned and "libnone.so is not installed" in shared.shared
    sets = NftSets("manageout", lambda: shared.writer)
    sets.change([Change("names", True, ONE)])
    assert sets.tables() == {"manageout", "manageout_guard"}
    command("flush ruleset")
    assert sets.tables() == set()
    shared.load(RULES % "")
    shared.delete()
    assert sets.tables() == set()
