"""The rules, a file a theme; importing this package registers them all."""

from manageout.doctor.rules import addresses, client, dns, machine, manager, server

__all__ = ["addresses", "client", "dns", "machine", "manager", "server"]
