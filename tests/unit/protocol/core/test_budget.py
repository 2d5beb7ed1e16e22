"""A budget is spent, and refills."""

from __future__ import annotations

from manageout.protocol.core.budget import Budget


def test_the_budget_refills() -> None:
    budget = Budget(rate=10.0, burst=2.0)
    assert [budget.take(100.0) for _ in range(3)] == [True, True, False]
    assert budget.take(100.125)
    assert not budget.take(100.125)
