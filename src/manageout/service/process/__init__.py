"""What every process of ours has: ``loops``, ``logs``, ``runtime`` (one at a time, and its undo), ``control`` socket
and its ``client``, ``overview`` and ``metrics``, and the rows (``finding``, ``presence``) that roles hand out.

No role lives here, and none is imported.
"""
