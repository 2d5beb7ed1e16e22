"""Protocol numbers are those of the C library, where it knows them."""

from __future__ import annotations

import socket

from manageout.wire import numbers


def test_they_are_everybodys() -> None:
    names = {
        "HOP_BY_HOP": "HOPOPTS",
        "AUTHENTICATION": "AH",
        "NO_NEXT_HEADER": "NONE",
        "DESTINATION_OPTIONS": "DSTOPTS",
        "PROTOCOL_41": "IPV6",
    }
    ours = {name: value for name, value in vars(numbers).items() if isinstance(value, int)}
    known = {name: getattr(socket, f"IPPROTO_{names.get(name, name)}", None) for name in ours}
    assert {name: value for name, value in known.items() if value is None}.keys() == {
        "MOBILITY",
        "HIP",
        "SHIM6",
    }
    assert {name: ours[name] for name, value in known.items() if value is not None} == {
        name: value for name, value in known.items() if value is not None
    }
