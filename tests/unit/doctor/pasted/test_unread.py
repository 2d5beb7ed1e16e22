"""What nobody could read has a name."""

from __future__ import annotations

import pytest

from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.unread import name


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Part("tasklist /v", ["x"]), "tasklist /v"),
        (Part("tasklist", []), ""),
        (Part("", ["HKEY_x", "y"], kind="reg"), "what looks like reg query: HKEY_x"),
        (Part("", ["Proto  Local    Foreign", "TCP    10.0.0.1:1       x"]),
         "what begins with 'Proto  Local    Foreign'"),
        (Part("", ["Any idea?", "", "Kind regards,", "Bob"]), ""),
        (Part("", ["From: bob@corp.example", "To: eve@corp.example", "Subject: help : me", "Date: today : now"]), ""),
    ],
)  # fmt: skip
def test_names(part: Part, words: str) -> None:
    assert name(part) == words
