"""Evidence -> facts -> findings: why a machine cannot be managed out, or cannot manage.

``read`` takes what people paste and save (``pasted`` -> ``console`` or ``powershell``), ``look`` what this machine
can see; both give ``facts``, which ``diagnosis`` holds against ``rules``; ``report`` writes. All but ``look`` is
pure, and bounded, for evidence comes from strangers; what was not read is named.
"""
