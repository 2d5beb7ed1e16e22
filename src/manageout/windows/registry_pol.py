"""``Registry.pol``: the registry values of a group policy ([MS-GPREG] 2.2.1) <-> records.

A header ``PReg`` and version 1, then records ``[key;value;type;size;data]`` without padding, where the brackets
and semicolons are UTF-16LE code units, key and value are UTF-16LE with a final NUL, type and size are little-endian
32-bit numbers. Data may hold any code unit, so a reader must go by the lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.cursor import Cursor

HEADER = b"PReg\x01\x00\x00\x00"
MAX_DATA = 0xFFFF
MAX_NAME = 4096
"""Code units that a reader looks at for the end of a key or value; the registry allows fewer."""
_OPEN, _SEMICOLON, _CLOSE = "[".encode("utf-16-le"), ";".encode("utf-16-le"), "]".encode("utf-16-le")


class Kind(IntEnum):
    """Registry value types."""

    NONE = 0
    SZ = 1
    EXPAND_SZ = 2
    BINARY = 3
    DWORD = 4
    DWORD_BIG_ENDIAN = 5
    LINK = 6
    MULTI_SZ = 7
    QWORD = 11


class RegistryRecord(NamedTuple):
    """One value. ``key`` is below the hive that the file's folder implies (Machine: HKLM)."""

    key: str
    value: str
    kind: int
    data: bytes

    @classmethod
    def of(cls, key: str, value: str, content: str | int | Sequence[str]) -> RegistryRecord:
        """A value of the type that fits: text REG_SZ, number REG_DWORD, list of texts REG_MULTI_SZ.

        Raises :class:`ValueError` for a number that is no DWORD or a text with a NUL.
        """
        if isinstance(content, int):
            if not 0 <= content < 1 << 32:
                raise ValueError(f"{content} is no DWORD")
            return cls(key, value, Kind.DWORD, struct.pack("<I", content))
        texts = [content] if isinstance(content, str) else list(content)
        if any("\0" in text for text in texts):
            raise ValueError("a text holds a NUL")
        data = "".join(f"{text}\0" for text in texts)
        if isinstance(content, str):
            return cls(key, value, Kind.SZ, data.encode("utf-16-le"))
        return cls(key, value, Kind.MULTI_SZ, f"{data}\0".encode("utf-16-le"))

    def content(self) -> str | int | tuple[str, ...] | bytes:
        """The data in Python's terms; bytes where the type or the data does not fit."""
        if (self.kind, len(self.data)) in ((Kind.DWORD, 4), (Kind.QWORD, 8)):
            return int.from_bytes(self.data, "little")
        if self.kind in (Kind.SZ, Kind.EXPAND_SZ, Kind.MULTI_SZ) and len(self.data) % 2 == 0:
            text = self.data.decode("utf-16-le", "replace").removesuffix("\0")
            if self.kind == Kind.MULTI_SZ:
                return tuple(text.removesuffix("\0").split("\0")) if text else ()
            return text
        return self.data


def build(records: Iterable[RegistryRecord]) -> bytes:
    """The file. Raises :class:`ValueError` for data that the format cannot hold."""
    parts = [HEADER]
    for record in records:
        if len(record.data) > MAX_DATA:
            raise ValueError(f"{record.value} has {len(record.data)} bytes, at most {MAX_DATA} fit")
        numbers = (struct.pack("<I", number) for number in (record.kind, len(record.data)))
        fields = (_text(record.key), _text(record.value), *numbers, record.data)
        parts += [_OPEN, _SEMICOLON.join(fields), _CLOSE]
    return b"".join(parts)


def parse(data: bytes) -> list[RegistryRecord]:
    """The records of a file, those without a value name too. Raises :class:`WireError` that names the fault."""
    if not data.startswith(HEADER[:4]):
        raise WireError("not a Registry.pol file: it does not begin with PReg")
    cursor = Cursor(data, "Registry.pol")
    cursor.skip(4)
    version = int.from_bytes(cursor.take(4), "little")
    if version != 1:
        raise WireError(f"Registry.pol has version {version}, only 1 is known")
    records: list[RegistryRecord] = []
    while cursor.remaining:
        number = len(records)
        _expect(cursor, _OPEN, number)
        key, value = (_name(cursor, what, number) for what in ("key", "value name"))
        kind, size = (_number(cursor, number) for _ in range(2))
        if size > MAX_DATA:
            raise WireError(f"record {number}: {size} bytes of data, at most {MAX_DATA} are allowed")
        records.append(RegistryRecord(key, value, kind, cursor.take(size)))
        _expect(cursor, _CLOSE, number)
    return records


def _text(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a name holds a NUL")
    return f"{text}\0".encode("utf-16-le")


def _number(cursor: Cursor, record: int) -> int:
    value = int.from_bytes(cursor.take(4), "little")
    _expect(cursor, _SEMICOLON, record)
    return value


def _name(cursor: Cursor, what: str, record: int) -> str:
    units = bytearray()
    while (unit := cursor.take(2)) != b"\0\0":
        units += unit
        if len(units) > 2 * MAX_NAME:
            raise WireError(f"a {what} has more than {MAX_NAME} characters")
    try:
        name = units.decode("utf-16-le")
    except UnicodeDecodeError:
        raise WireError(f"a {what} is not UTF-16") from None
    _expect(cursor, _SEMICOLON, record)
    return name


def _expect(cursor: Cursor, mark: bytes, number: int) -> None:
    if cursor.take(2) != mark:
        raise WireError(f"record {number}: {mark.decode('utf-16-le')!r} is missing")
