"""Sans-IO protocol machines: time is an argument; no socket, clock, task or log.

A machine of a link is given bytes (``receive``, ``on_timer``) and asked what to send, what happened and when to come
back (``transmit``, ``events``, ``timer``). ``core`` is for all; features do not know one another but for a short list
in ``pyproject.toml``, and none knows the site file.
"""
