"""The list of names that machines believe."""

from __future__ import annotations

import re

from manageout.protocol.names.trusted import TRUSTED


def test_each_is_one_label_in_lower_case() -> None:
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name) for name in TRUSTED)


def test_what_windows_and_browsers_ask_for_by_themselves_is_there() -> None:
    assert {
        "isatap",
        "wpad",
        "localhost",
        "autodiscover",
        "directaccess-corpconnectivityhost",
        "nls",
    } <= TRUSTED
