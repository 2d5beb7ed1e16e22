"""Interface identifiers: stable for a client and a prefix, different for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.errors import BadArgument, PkiError
from manageout.service.iphttps import interface_id
from manageout.service.iphttps.interface_id import InterfaceId
from manageout.service.tls.pki import Authority

PREFIX = bytes.fromhex("fd123456789a1000")


def test_stable_and_different_for_prefix_secret_and_duplicate() -> None:
    made = [
        InterfaceId(b"one")(PREFIX, 0),
        InterfaceId(b"one")(PREFIX, 1),
        InterfaceId(b"one")(bytes(8), 0),
        InterfaceId(b"two")(PREFIX, 0),
    ]
    assert len(set(made)) == 4 and {len(found) for found in made} == {8}
    assert made[0] == InterfaceId(b"one")(PREFIX, 0)


def test_a_chosen_one_is_left_when_it_is_a_duplicate() -> None:
    chosen = interface_id.parse("::a:b:c:d")
    assert chosen == bytes.fromhex("000a000b000c000d")
    assert InterfaceId(b"x", chosen)(PREFIX, 0) == chosen
    assert InterfaceId(b"x", chosen)(PREFIX, 1) == InterfaceId(b"x")(PREFIX, 1)


@pytest.mark.parametrize("text", ["", "hello", "::", "fe80::1", "1.2.3.4"])
def test_what_is_no_interface_identifier(text: str) -> None:
    with pytest.raises(BadArgument, match="is no interface identifier"):
        interface_id.parse(text)


@pytest.mark.parametrize(
    "text", ["::1", "::5", "::ffff", "::200:5efe:a00:1", "::5efe:10.0.0.1", "::fdff:ffff:ffff:ff80"]
)
def test_what_belongs_to_others(text: str) -> None:
    with pytest.raises(BadArgument, match=r"is kept for gateways|is reserved") as caught:
        interface_id.parse(text)
    assert caught.value.exit_code == 2


def test_the_secret_follows_the_certificate(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, "CA")
    one, two = (authority.issue(name, server=False).certificate for name in ("one", "two"))
    assert interface_id.secret_of(one) == interface_id.secret_of(one) != interface_id.secret_of(two)
    assert interface_id.secret_of(None) == interface_id.secret_of(None)
    with pytest.raises(PkiError):
        interface_id.secret_of(tmp_path / "nothing.pem")
