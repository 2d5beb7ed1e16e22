"""What every role must have."""

from __future__ import annotations

import pytest

from manageout.service.process.role import Role


class Idle(Role):
    """Serves nothing."""

    name = "idle"


def test_a_role_that_cannot_run_is_not_made() -> None:
    with pytest.raises(TypeError, match="run"):
        Idle()  # type: ignore[abstract]
