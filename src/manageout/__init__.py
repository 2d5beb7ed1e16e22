"""Manageout: manage-out for IPv6-only remote access, on Linux."""

__version__ = "0.1.0"
