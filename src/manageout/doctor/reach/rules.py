"""Why a manager cannot reach a client: a rule for each way in which a hop fails (doctor/reach/hops.py)."""

from collections.abc import Iterator

from manageout.doctor.facts import Facts
from manageout.doctor.reach.hops import hops
from manageout.doctor.rules.rule import Look, Theme


class _HopRules(Theme):
    """A hop that fails names the code: every text has the same function."""

    def look(self, code: str) -> Look:
        def failing(facts: Facts) -> Iterator[tuple[str, ...]]:
            """All hops that fail so."""
            if facts.reach is not None:
                words = [f"{hop.what}: {hop.words}" for hop in hops(facts.reach) if hop.code == code]
                if words:
                    yield tuple(dict.fromkeys(words))

        return failing


rule = _HopRules()
