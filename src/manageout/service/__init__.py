"""Asyncio drivers: one machine and its sockets each; the daemon that runs them."""
