"""What outlives a process: SQLite files under the state directory, each behind
:mod:`~manageout.service.state.database`.

A store knows its schema and nothing of who writes it; the ``*_file`` modules read from outside, daemon or no
daemon.
"""
