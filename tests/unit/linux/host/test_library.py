"""Functions of C libraries bear the types that libraries.toml gives them."""

from __future__ import annotations

import ctypes
import tomllib
from importlib.resources import files

import pytest

from manageout.linux.host.library import _TYPES, library

DECLARED = tomllib.loads(files("manageout.linux").joinpath("libraries.toml").read_text())


@pytest.mark.parametrize("name", DECLARED)
def test_every_function_is_there_and_declared(name: str) -> None:
    try:
        loaded = library(name)
    except OSError:
        pytest.skip(f"{name} is not there")
    for function, (result, *arguments) in DECLARED[name].items():
        declared = getattr(loaded, function)
        assert declared.restype is _TYPES[result]
        assert declared.argtypes == [_TYPES[each] for each in arguments]
    assert library(name) is loaded, "loaded once"


def test_every_type_is_known() -> None:
    used = {each for functions in DECLARED.values() for types in functions.values() for each in types}
    assert used <= _TYPES.keys()
    assert ctypes.sizeof(_TYPES["u64"] or ctypes.c_int) == 8


def test_a_library_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"libnobody\.so\.9"):
        library("libnobody.so.9")
