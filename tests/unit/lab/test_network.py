"""What the lab's networks need, and how a node's command line looks."""

from __future__ import annotations

import pytest

from manageout.errors import LabError, NotPermitted
from manageout.lab import network


def test_missing_programs_are_told_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {"good": {"sh": "dash"}, "bad": {"no-such-1": "one", "sh": "dash", "no-such-2": "one"}}
    monkeypatch.setattr(network, "programs", needed.__getitem__)
    network.require_programs("good")
    with pytest.raises(LabError, match="the lab needs no-such-1, no-such-2") as caught:
        network.require_programs("bad")
    assert caught.value.hint == "apt-get install one"


def test_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="needs root"):
        network.down()


def test_a_command_gets_the_nodes_network_and_runtime_directory() -> None:
    argv = network.command("dc", ["true", "--flag"])
    assert "--net=/run/netns/mo-dc" in argv
    assert "MANAGEOUT_RUNTIME_DIR=/run/manageout-lab/dc" in argv
    assert argv[-2:] == ["true", "--flag"]
