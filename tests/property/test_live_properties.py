"""Whatever live facts say, they can be saved, read, judged and told: an archive may be written by anybody."""

from __future__ import annotations

import json
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.report import live_json
from manageout.doctor.report.live_report import lines
from manageout.errors import ManageoutError
from manageout.service.probe.results import Live
from tests.unit.doctor.live_cases import CASES, HEALTHY

RELAXED = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
WORDS = st.sampled_from(
    [
        "",
        "x",
        "10.0.0.1",
        "fd12::1",
        "isatap.corp.example",
        "NOERROR",
        "https://[",
        "https://a/",
        "::1/64",
        "9" * 400,
    ]
)
NUMBERS = st.one_of(st.integers(-5, 5), st.sampled_from([2**40, -(2**40), 10**30]))
FLOATS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.just(1.8e9))


def strange(kind: Any) -> st.SearchStrategy[Any]:
    """Any values of a type that live facts are made of."""
    plain: dict[Any, st.SearchStrategy[Any]] = {str: WORDS, int: NUMBERS, float: FLOATS, bool: st.booleans()}
    if kind in plain:
        return plain[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if each is type(None) else strange(each) for each in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(strange(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(strange, arguments))
    return st.builds(kind, **{name: strange(hint) for name, hint in get_type_hints(kind).items()})


def consumed(facts: Facts) -> None:
    for finding in diagnose([facts]):
        assert finding.code and isinstance(finding.seen, tuple)
    assert lines(facts.live) if facts.live else True


@RELAXED
@given(st.data())
def test_any_values_of_the_right_types(data: st.DataObject) -> None:
    live = data.draw(strange(Live))
    read = Facts("live.json")
    live_json.read(read, live_json.to_json(live))
    consumed(read)


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A file of ours in which somebody has changed one value, anywhere."""
    live = draw(st.sampled_from([*HEALTHY.values(), *(case() for case in CASES.values())]))
    data: Any = json.loads(live_json.to_json(live))
    place: Any = data["live"]
    for _ in range(draw(st.integers(0, 4))):
        keys = (
            list(place)
            if isinstance(place, dict)
            else list(range(len(place)))
            if isinstance(place, list)
            else []
        )
        inner = [key for key in keys if isinstance(place[key], dict | list) and place[key]]
        if not inner:
            break
        place = place[draw(st.sampled_from(inner))]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    junk = st.one_of(
        st.none(), st.booleans(), NUMBERS, FLOATS, WORDS, st.just([]), st.just({}), st.just([[]])
    )
    place[draw(st.sampled_from(keys))] = draw(junk)
    return json.dumps(data)


@settings(RELAXED, max_examples=300)
@given(mangled())
def test_a_changed_file_is_read_or_refused(text: str) -> None:
    read = Facts("live.json")
    try:
        live_json.read(read, text)
    except ManageoutError as error:
        assert error.hint
        return
    consumed(read)
