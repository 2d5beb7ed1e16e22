"""What both looks begin with."""

from __future__ import annotations

from typing import Any

import pytest

from manageout.doctor.look.gatherer import Gatherer, Scope
from manageout.errors import BadArgument, DaemonUnreachable, ManageoutError, NotPermitted
from manageout.site.tables.site import parse

HOST = {
    "roles": {"isatap-host": {"ready": True, "name": "router.corp.example", "routers": {"10.0.0.1": "up"}}}
}


def gathering(answer: object, **fields: Any) -> Gatherer:
    def ask(command: str) -> object:
        assert command == "status"
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Gatherer(Scope(ask=ask, **fields))


def test_a_host_has_joined_its_router() -> None:
    assert gathering(HOST)._joined() == ("router.corp.example", ["10.0.0.1"])
    assert gathering({"roles": {}})._joined() == ("", [])


@pytest.mark.parametrize("roles", [{"isatap-host": 7}, {"isatap-host": {"name": None, "routers": "x"}}])
def test_a_role_that_says_nothing_of_use(roles: object) -> None:
    assert gathering({"roles": roles})._joined() == ("", [])


@pytest.mark.parametrize("answer", [DaemonUnreachable("nothing answers"), NotPermitted("no"), [], None])
def test_without_a_status_there_is_a_reason(answer: object) -> None:
    found = gathering(answer)
    assert found._status is None and found._silence is not None and found._role("isatap-host") == {}


def test_what_fails_is_told_and_keeps_nothing_else() -> None:
    found = gathering(HOST)

    def fails(error: ManageoutError) -> int:
        raise error

    assert found._tried("clocks", 7, fails, ManageoutError("no answer")) == 7
    assert found._unseen == ["clocks: no answer"]
    with pytest.raises(BadArgument):
        found._tried("gateways", 7, fails, BadArgument("no URL"))


def test_the_router_s_name_may_lead_to_every_locator() -> None:
    site = parse(
        '[site]\nprefix = "fd12:3456:789a::/48"\n[isatap]\nlocators = ["10.0.0.1"]\nrouters = ["10.0.0.2"]\n'
    )
    assert gathering(HOST, site=site)._locators() == ("10.0.0.1", "10.0.0.2")
    assert gathering(HOST)._locators() == ()
