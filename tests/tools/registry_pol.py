"""Records of a ``Registry.pol`` that only others write."""

from __future__ import annotations

from manageout.windows.registry_pol import Kind, RegistryRecord


def deletion(key: str, value: str) -> RegistryRecord:
    """Deletes ``value``: a ``**del.`` record, whose data is one space."""
    return RegistryRecord(key, f"**del.{value}", Kind.SZ, " \0".encode("utf-16-le"))
