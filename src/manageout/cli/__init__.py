"""The command line: one table of commands, each imported only when it is called.

Reading commands must start fast, so nothing under ``cli/`` imports pydantic, rich, dnspython or asyncio at
its top; a test measures it.
"""
