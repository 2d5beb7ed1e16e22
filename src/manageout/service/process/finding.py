"""What a role wants somebody to look at."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One trouble. It becomes JSON at the control socket only; `doctor --live` reads it back from there."""

    code: str
    """Stable, in capitals: monitoring matches it."""
    severity: str
    """``error``, ``warning`` or ``note``."""
    what: str
    remedy: str

    @classmethod
    def of(cls, row: object) -> Finding:
        """As read from another process, whatever that says."""
        found = row if isinstance(row, dict) else {}
        return cls(*(str(found.get(field, "")) for field in cls._fields))
