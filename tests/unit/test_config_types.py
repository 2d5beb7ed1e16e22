"""Values of the site file that have checks of their own."""

from __future__ import annotations

from ipaddress import IPv6Network

import pytest
from pydantic import ValidationError

from manageout.config_types import Table, metrics_place, router_name, service, site_prefix
from manageout.faults import Unfit


class Example(Table):
    value: int = 1


def test_a_table_knows_its_options_and_never_changes() -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"other": 1})
    with pytest.raises(ValidationError):
        Example().value = 2


@pytest.mark.parametrize("name", ["isatap", "ISATAP", "isatap.corp.example"])
def test_the_bare_name_is_refused_with_a_better_one(name: str) -> None:
    with pytest.raises(Unfit) as caught:
        router_name(name)
    assert "manageout-isatap" in caught.value.hint


def test_values_come_back_as_they_were() -> None:
    assert router_name("manageout-isatap.corp.example") == "manageout-isatap.corp.example"
    assert metrics_place("[::1]:9464") == "[::1]:9464"
    assert service("tcp/3389") == "tcp/3389"
    assert site_prefix(IPv6Network("2002:c633:640a::/48")) == IPv6Network("2002:c633:640a::/48")


def test_a_site_prefix_is_a_48() -> None:
    with pytest.raises(Unfit):
        site_prefix(IPv6Network("fd12:3456:789a::/64"))
