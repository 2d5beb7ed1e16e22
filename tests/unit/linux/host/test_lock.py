"""A file that one process at a time may hold."""

from __future__ import annotations

from pathlib import Path

from manageout.linux.host.lock import lock


def test_one_holds_it_or_several_share_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open(path, "w") as one, open(path) as two, open(path) as three:
        assert lock(one.fileno())
        assert lock(one.fileno()), "its own"
        assert not lock(two.fileno()) and not lock(two.fileno(), shared=True)
        one.close()
        assert lock(two.fileno(), shared=True) and lock(three.fileno(), shared=True)
        two.close()
        assert lock(three.fileno(), wait=True)
