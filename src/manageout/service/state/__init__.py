"""What outlives a process: SQLite files under the state directory, each behind
:mod:`~manageout.service.state.database`.

A store knows its schema and nothing of who writes it, and refuses no start: what cannot be read is set aside and
told.
"""
