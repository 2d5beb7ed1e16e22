"""PowerShell's text output -> facts, in any culture: ``records`` (lists, ``table``, ``json``) -> ``cmdlets`` by the
``shapes`` of their properties -> ``read``; ``gathered`` for each machine.
"""
