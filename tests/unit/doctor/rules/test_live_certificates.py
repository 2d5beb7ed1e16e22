"""Certificates and revocation lists of a running machine: each rule alone on its case."""

from __future__ import annotations

import pytest

from tests.unit.doctor.live_cases import CASES, HOST, codes, host
from tests.unit.doctor.rules.cases import theme


@pytest.mark.parametrize("code", theme("live_certificates"))
def test_a_case_is_named_and_its_consequences_are_not(code: str) -> None:
    assert codes(CASES[code]()) == [code]


def test_a_wildcard_covers_one_label() -> None:
    shown = HOST.gateways[0].certificate
    assert shown is not None
    for names, right in (
        (("*.corp.example",), True),
        (("*.example",), False),
        (("GATEWAY.corp.example",), True),
    ):
        changed = HOST.gateways[0]._replace(certificate=shown._replace(names=names))
        assert ("LIVE-CERT-NAME" not in codes(host(gateways=(changed,)))) is right
