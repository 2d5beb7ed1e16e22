"""What all tests share: named skips, and how hard hypothesis tries."""

from __future__ import annotations

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
CI = os.environ.get("CI") == "true"
hypothesis.settings.load_profile("ci" if CI else "default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A system test without root is skipped by name; in CI it fails instead (system/conftest.py)."""
    if os.geteuid() == 0 or os.environ.get("CI") == "true":
        return
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.skip(reason="system test: needs root"))
