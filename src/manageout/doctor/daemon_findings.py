"""What the daemon's own codes mean: the rows of docs/reference/findings.md, which lies beside this file as a link."""

import re
from importlib.resources import files
from typing import NamedTuple

_CODE = re.compile(r"`([A-Z][A-Z0-9-]+)`")
_ABOVE = "as above"


class Explained(NamedTuple):
    """A row: under which heading it stands, the cause, and the remedy."""

    heading: str
    cause: str
    remedy: str


def daemon_findings() -> dict[str, Explained]:
    """By code. A remedy that is "as above" is that of the row before."""
    page = files("manageout.doctor").joinpath("daemon_findings.md").read_text(encoding="utf-8")
    found: dict[str, Explained] = {}
    heading = above = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading, above = line[3:], ""
        elif line.startswith("| `"):
            _, codes, cause, remedy, _ = (cell.strip() for cell in line.split("|"))
            if remedy.startswith(_ABOVE):
                remedy = above + remedy.removeprefix(_ABOVE)
            else:
                above = remedy
            found |= dict.fromkeys(_CODE.findall(codes), Explained(heading, cause, remedy))
    return found
