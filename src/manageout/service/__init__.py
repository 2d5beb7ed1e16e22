"""Asyncio drivers: one machine and its sockets each; the daemon that runs them.

``daemon`` makes the kernel as the site file wants it and starts the roles; ``process`` is what every process has,
``state`` what outlives it. Drivers decide nothing about protocols, and features of different themes do not import one
another but for a short list in ``pyproject.toml``.
"""
