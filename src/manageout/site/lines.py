"""Where in a site file something stands, for messages; tomllib does not tell. Knows tables and keys at the start of
a line, and of what stands within a value the line on which the value begins."""

import re
from collections import Counter
from pathlib import Path

_TABLE = re.compile(r"\s*(\[\[?)([^\[\]=#]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w\"'.* -]+?)\s*=")
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w*-]+)")
MAX_BYTES = 1 << 20


def line_of(file: Path | str, path: str) -> int:
    """The line of the dotted ``path``, such as ``policy.managers.0.to``, or of what it is in; 0 where nobody knows."""
    try:
        with open(file, encoding="utf-8") as opened:
            known = lines(opened.read(MAX_BYTES))
    except (OSError, ValueError):
        return 0
    while path and path not in known:
        path = path.rpartition(".")[0]
    return known.get(path, 0)


def lines(text: str) -> dict[str, int]:
    """Dotted path -> line, from 1, of every table and key."""
    found: dict[str, int] = {}
    seen: Counter[str] = Counter()
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = _dotted(match[2])
            if match[1] == "[[":
                seen[table] += 1
                table = f"{table}.{seen[table] - 1}"
            found.setdefault(table, number)
        elif match := _KEY.match(line):
            found.setdefault(f"{table}.{_dotted(match[1])}".lstrip("."), number)
    return found


def _dotted(name: str) -> str:
    return ".".join(part[1] or part[2] or part[3] for part in _PART.finditer(name))
