"""Our table comes and goes as a whole; others stay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError, NotPermitted
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.linux.nft import program as nft
from manageout.linux.nft.evaluate import Packet, Ruleset
from manageout.linux.nft.tables import OURS
from manageout.wire.numbers import PROTOCOL_41
from tests.tools.packet_filter import delete_table, replace_table

BODY = "chain forward { type filter hook forward priority 0; policy accept; %s\n }"


@pytest.fixture(autouse=True)
def inside(namespaces: Callable[[str], str]) -> Iterator[None]:
    with netns.inside(namespaces("mo-test-nft")):
        yield


def ruleset() -> str:
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def test_a_table_is_replaced_and_deleted() -> None:
    nft.apply("table ip6 theirs { chain c { }\n }")
    replace_table(nft.TABLE, BODY % "ip6 daddr fd00::/8 drop")
    replace_table(nft.TABLE, BODY % "ip6 daddr fd01::/16 drop")
    text = nft.table_text(nft.TABLE)
    assert text and "fd01::/16" in text and "fd00::/8" not in text
    for _ in range(2):
        delete_table(nft.TABLE)
    assert nft.table_text(nft.TABLE) is None
    assert "theirs" in ruleset()


def test_a_refused_replacement_changes_nothing() -> None:
    replace_table(nft.TABLE, BODY % "ip6 daddr fd00::/8 drop")
    before = ruleset()
    with pytest.raises(KernelError) as caught:
        replace_table(nft.TABLE, BODY % "what is this")
    assert "syntax error" in caught.value.message
    assert ruleset() == before


def test_a_trial_leaves_nothing_and_names_the_rule_that_the_kernel_refuses() -> None:
    """`nft --check` alone is not enough: kernels before 5.11 look at such rules only when they are to stay."""
    before = ruleset()
    nft.trial(nft.TABLE, BODY % "ip6 daddr fd00::/8 drop")
    with pytest.raises(KernelError) as caught:
        nft.trial(nft.TABLE, BODY % "masquerade")
    assert caught.value.message.startswith("Linux ") and "masquerade" in caught.value.message
    assert "\n" not in caught.value.message and caught.value.hint
    assert ruleset() == before


@pytest.mark.parametrize(("lost", "error"), [("-sys_admin", ""), ("-sys_admin,-net_admin", "NotPermitted")])
def test_a_trial_without_the_right_to_a_namespace(lost: str, error: str) -> None:
    code = f"""
from manageout.errors import KernelError, NotPermitted
from manageout.linux.nft import program as nft
nft.trial(nft.TABLE, {BODY % "ip6 daddr fd00::/8 drop"!r})
nft.trial(nft.TABLE, {BODY % "what is this"!r})
"""
    argv = ["setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}", sys.executable, "-c", code]
    told = subprocess.run(argv, capture_output=True, text=True, check=False).stderr.strip().splitlines()[-1]
    assert (error or "KernelError: Linux") in told and (error or "syntax error") in told


def test_no_nft_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(KernelError) as caught:
        delete_table(nft.TABLE)
    assert caught.value.hint == "apt-get install nftables"


def test_a_table_asked_for_by_parts_is_the_same() -> None:
    """What is done where nft breaks off in the middle of a table."""
    theirs = """table inet t {
        set s { type ipv4_addr; elements = { 10.0.0.1 } }
        map m { type ipv4_addr : verdict; elements = { 10.0.0.2 : drop } }
        chain c { ip saddr @s counter drop; ip daddr vmap @m; }
        chain hooked { type filter hook input priority 0; policy accept; tcp dport { 22, 80 } jump c; }
    }
    table ip other {
        set s { type ipv4_addr; }
        chain c { drop; }
    }"""
    nft.apply(theirs)

    def told(objects: list[object]) -> set[str]:
        kept = [each for each in objects if not {"metainfo", "table"} & set(each)]  # type: ignore[call-overload]
        return {json.dumps(each, sort_keys=True) for each in kept}

    for options in (("-n", "-j", "list"), ("-n", "-t", "-j", "list")):
        whole = nft.table_objects("inet t", terse="-t" in options)
        assert told(nft.by_parts("inet t", options)) == told(whole) and len(told(whole)) == 7


def test_a_table_that_another_program_owns_is_read_all_the_same() -> None:
    """Like that of firewalld since 2.2: nobody else can change it, and what it drops is told."""
    with subprocess.Popen(
        ["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdin is not None
        owner.stdin.write("add table inet theirs { flags owner; }\n")
        owner.stdin.write("add chain inet theirs i { type filter hook input priority 0; policy drop; }\n")
        owner.stdin.flush()
        wait_until("it is there", lambda: "chain i" in (nft.table_text("inet theirs") or ""), 10)
        found = Ruleset(*nft.ruleset()).judge("input", Packet("10.0.0.2", "10.0.0.1", PROTOCOL_41, iif="lo"))
        assert (found.result, found.rule) == ("drop", "nft table inet theirs, chain i: policy drop")
        with pytest.raises(NotPermitted):
            nft.apply("insert rule inet theirs i meta l4proto 41 accept")
        owner.stdin.close()
    wait_until("it has gone with its owner", lambda: nft.table_text("inet theirs") is None, 10)


def test_only_rules_of_others_are_asked_for() -> None:
    for table in (
        "inet manageout",
        "inet manageout_guard",
        "inet manageout_timeouts",
        "ip manageout",
        "inet theirs",
    ):
        nft.apply(f"table {table} {{ chain c {{ }}\n }}")
    objects, _ = nft.ruleset(OURS)
    assert [
        each["chain"]["family"] + " " + each["chain"]["table"] for each in objects if "chain" in each
    ] == [
        "ip manageout",
        "inet theirs",
    ]
    assert len(nft.tables()) == 5
