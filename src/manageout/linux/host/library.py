"""C libraries of the system by ctypes, with their functions as ``linux/libraries.toml`` declares them."""

import ctypes as c
from functools import cache

from manageout.words import toml_of

_TYPES = {
    "none": None, "pointer": c.c_void_p, "text": c.c_char_p, "int": c.c_int, "size": c.c_size_t,
    "u32": c.c_uint32, "u64": c.c_uint64,
}  # fmt: skip


@cache
def library(name: str) -> c.CDLL:
    """The library, with ``errno`` kept. Raises :class:`OSError` where there is none."""
    loaded = c.CDLL(name, use_errno=True)
    for function, (result, *arguments) in toml_of("manageout.linux", "libraries.toml")[name].items():
        declared = getattr(loaded, function)
        declared.restype, declared.argtypes = _TYPES[result], [_TYPES[each] for each in arguments]
    return loaded
