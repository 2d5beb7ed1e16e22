"""``manageout retire``, a module a step; ``seen`` is what the steps look at."""
