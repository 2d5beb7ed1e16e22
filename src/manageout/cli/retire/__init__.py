"""``manageout retire``, a module a step: ``census`` -> ``judge`` -> ``pilot`` -> ``watch`` -> ``remove``, and
``status`` and ``report`` at any time; ``options`` are what they have in common.

A step asks, says what it is going to do, and does it by :mod:`manageout.retire`; which may follow which is not
decided here.
"""
