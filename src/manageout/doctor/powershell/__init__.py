"""PowerShell's text output -> facts, in any culture: ``records`` (lists, ``table``, ``delimited``, ``json``) ->
``cmdlets`` by the ``shapes`` of their properties -> ``read``; ``gathered`` for each machine.

Names of properties are not translated by Windows, so they are known by ``cmdlets.toml``; values may be. Pure.
"""
