"""What all tests share: named skips, and how hard hypothesis tries."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
# A job in the background starts with SIGINT ignored, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = {"test_demo", "test_name_policy"}
CI = os.environ.get("CI") == "true"
hypothesis.settings.load_profile("ci" if CI else "default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A system test without root is skipped by name; in CI it fails instead (system/conftest.py).

    Workers side by side take the long files first, so that they end together.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (item.path.stem not in LONG, "system" not in item.path.parts))
    if os.geteuid() == 0 or CI:
        return
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.skip(reason="system test: needs root"))
