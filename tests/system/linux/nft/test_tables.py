"""The daemon's tables in the kernel: owned, nobody else can touch the rules; shared, they come and go as before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError, NotPermitted
from manageout.linux.host import netns
from manageout.linux.nft import libnftables
from manageout.linux.nft import program as nft
from manageout.linux.nft.sets import Change, NftSets
from manageout.linux.nft.tables import GUARD_TABLE, TIMEOUTS_TABLE, RuleTables
from tests.tools.packet_filter import replace_table

RULES = """set names { type ipv6_addr; }
chain forward { type filter hook forward priority 0; policy accept; %s
}"""
GUARD = "chain forward { type filter hook forward priority -1; policy accept; counter\n}"
TIMEOUTS = "ct timeout t { protocol tcp; l3proto ip6; policy = { established : %s }; }\nchain c { }"
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
    replace_table(nft.TABLE, "set old { type ipv6_addr; }")
    replace_table(GUARD_TABLE, GUARD)
    tables.load(RULES % "")
    assert "old" not in (nft.table_text(nft.TABLE) or "")
    assert nft.table_text(GUARD_TABLE) is None


def test_the_rules_go_with_their_owner_and_the_guard_stays(tables: RuleTables) -> None:
    """As when it is killed: nothing but the descriptors tells."""
    code = f"""
import os, signal
from manageout.linux.nft.tables import RuleTables
tables = RuleTables(); tables.load({RULES % ""!r}, {GUARD!r}); assert tables.owned
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert nft.table_text(nft.TABLE) is None
    assert nft.table_text(GUARD_TABLE) is not None


def test_a_load_that_a_signal_breaks_off_leaves_nothing(
    tables: RuleTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = libnftables.Context.run

    def broken_off(self: libnftables.Context, commands: str, what: str) -> None:
        """A handler that raises is called when the library returns."""
        run(self, commands, what)
        if "filter hook forward" in commands:
            raise SystemExit

    monkeypatch.setattr(libnftables.Context, "run", broken_off)
    with pytest.raises(SystemExit):
        tables.load(RULES % "", GUARD, TIMEOUTS % "100")
    assert there() == {nft.TABLE, GUARD_TABLE, TIMEOUTS_TABLE}
    tables.delete()
    assert there() == set()


def test_without_the_library_the_rules_are_shared(shared: RuleTables) -> None:
    shared.load(RULES % "", GUARD)
    assert not shared.owned and "libnone.so is not installed" in shared.shared
    NftSets("manageout", lambda: shared.writer).change([Change("names", True, ONE)])
    assert there() == {nft.TABLE, GUARD_TABLE}
    command("flush ruleset")
    assert there() == set() and shared.touched() == [nft.TABLE, GUARD_TABLE]
    shared.load(RULES % "")
    assert shared.touched() == []
    shared.delete()
    assert there() == set() and shared.touched() == []


def there() -> set[str]:
    return {table for table in (nft.TABLE, GUARD_TABLE, TIMEOUTS_TABLE) if nft.table_text(table)}


@pytest.mark.parametrize(
    "harm",
    [
        f"flush table {nft.TABLE}",
        f"flush chain {nft.TABLE} forward",
        f"insert rule {nft.TABLE} forward accept",
        f"add chain {nft.TABLE} forward {{ policy drop; }}",
        f"delete table {nft.TABLE}",
    ],
)
def test_what_was_done_to_shared_rules_is_seen(shared: RuleTables, harm: str) -> None:
    command(f"add table {nft.TABLE.replace('inet', 'ip')}")
    shared.load(RULES % "ip6 daddr fd00::/8 drop", GUARD)
    NftSets("manageout").change([Change("names", True, ONE)])
    command("add table inet theirs")
    assert shared.touched() == [], "members, and tables of others, are none of it"
    assert subprocess.run(["nft", harm], check=False).returncode == 0
    assert shared.touched() == [nft.TABLE]
    shared.load_again([nft.TABLE])
    assert shared.touched() == []
    command(f"flush table {GUARD_TABLE}")
    assert shared.touched() == [GUARD_TABLE]


@pytest.mark.parametrize("library", [libnftables.LIBRARY, "libnone.so"], ids=["owned", "shared"])
def test_time_outs_are_touched_only_when_they_change(
    tables: RuleTables, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setattr(libnftables, "LIBRARY", library)

    def handle() -> str:
        listed = command(f"-a list table {TIMEOUTS_TABLE}").stdout
        return next((line for line in listed.splitlines() if "ct timeout" in line), "")

    tables.load(RULES % "", "", TIMEOUTS % 50)
    first = handle()
    tables.load(RULES % "ip6 daddr fd00::/8 drop", GUARD, TIMEOUTS % 50)
    assert first and handle() == first
    tables.load(RULES % "", "", TIMEOUTS % 40)  # less than a minute: nft 1.1 writes 100 as 1m40s
    assert "40" in (nft.table_text(TIMEOUTS_TABLE) or "")
    command("flush ruleset")
    tables.load(RULES % "", "", TIMEOUTS % 40)
    assert "40" in (nft.table_text(TIMEOUTS_TABLE) or ""), "and when they are gone"
    tables.load(RULES % "")
    assert there() == {nft.TABLE}
    tables.load(RULES % "", "", TIMEOUTS % 40)
    tables.delete()
    assert there() == set()
