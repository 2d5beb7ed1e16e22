"""C libraries of the system by ctypes, with their functions as ``linux/libraries.toml`` declares them."""

from __future__ import annotations

import ctypes as c
import tomllib
from functools import cache
from importlib.resources import files

_TYPES = {
    "none": None, "pointer": c.c_void_p, "text": c.c_char_p, "int": c.c_int, "size": c.c_size_t,
    "u32": c.c_uint32, "u64": c.c_uint64,
}  # fmt: skip


@cache
def library(name: str) -> c.CDLL:
    """The library, with ``errno`` kept. Raises :class:`OSError` where there is none."""
    loaded = c.CDLL(name, use_errno=True)
    table = tomllib.loads(files("manageout.linux").joinpath("libraries.toml").read_text("utf-8"))
    for function, (result, *arguments) in table[name].items():
        declared = getattr(loaded, function)
        declared.restype, declared.argtypes = _TYPES[result], [_TYPES[each] for each in arguments]
    return loaded
