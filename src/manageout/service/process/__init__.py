"""What every process of ours has: ``frame`` (roles beside one another, signals, READY), ``loops``, ``logs``,
``runtime`` (one at a time, and its undo), ``control`` socket and its ``client``, ``overview`` and ``metrics``, and
the ``rows`` that roles hand out.

No role lives here, and none is imported.
"""
