"""What a mail, a forum or a web page has made of a console's lines -> the lines: quoting marks, fences, indentation,
wrapping. Each step is linear, and takes nothing from a text to which nothing was done.
"""

import html
import re
from collections.abc import Iterator
from itertools import pairwise

from manageout.doctor.powershell import table as powershell_table

MAX_LEVELS = 8
"""Of quoting that is taken away."""
MAIL_WIDTHS = range(66, 80)
"""Where mail programs break lines: no word that would have ended before was put on the next."""
_ENTITY = re.compile(r"&(?:gt|lt|nbsp|quot|amp|#\d{2,5});")
_TAG = re.compile(r"</?(?:br|p|pre|code|div|span|blockquote)(?: [^<>]{0,200})?/?>", re.IGNORECASE)
_MARK = re.compile(r"^[ ]{0,3}[>|](?: |$|(?=[^ ]))")
_FENCE = re.compile(r"^\s*(?:```+|~~~+)\s*[\w+#-]{0,20}\s*$")
_AROUND = re.compile(r"^(\s*)(\*\*|`+)(?!\*)(.+?)\2\s*$")
_ASKED = re.compile(r"(?:set \S+|l?server \S+|exit|[\w.:-]+)$", re.IGNORECASE)
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$")
_LABELLED = re.compile(r"\S.*?(?: :|\. ?:|\w:)(?:\s|$)")
_COLUMNS = re.compile(r"\S {2,}\S+.* {2,}\S|\S {2,}\S.*\S {2,}\S")
_CUT_ROUTE = re.compile(r"^\S+ +\S+ +\d+ +[0-9A-Fa-f:.]+/\d+ +\d+$")
"""A row of netsh's routes without its last column."""
_OWN = re.compile(
    r"\s|[-=*#>]|\S+ ?$|.*(?: :|\. ?:|:)(?:\s|$)|.*REG_|HKEY_|\d+ |(?:PS )?[A-Za-z]:\\|.* {3,}\S|\S+>|PS>|\[\S+\]"
)
PROMPT = re.compile(
    r"^\s*(?:\([\w.-]{1,60}\) )?(?:\[(?P<remote>[^\]\s]{1,255})\]: ?)?(?P<at>[\w.\\-]{1,100}@[\w.-]{1,255} )?"
    r"(?P<shell>PS(?: (?:[A-Za-z][\w-]{0,20}:|\\\\|/|~)[^>|<\"*?]{0,260})?|[A-Za-z]:[\\/][^>|<\"*?:]{0,260}|"
    r"\\\\[^>|<\"*?:]{1,260})>(?!=)(?P<command>.*)$"
)
"""A prompt of cmd or PowerShell, local or remote, also without a path (``PS>``) and behind OpenSSH's user@host."""
UNIX = re.compile(r"^\s*\[?[\w.+-]{1,64}@[\w.-]{1,253}(?:[: ][^$#>\n]{0,200})?\]?[$#] ?(?P<command>.*)$")
"""A prompt of a Unix shell."""


def plain(text: str) -> str:
    """What markup is in the text becomes characters. Nothing happens where there is none."""
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text).replace("\u00a0", " ")
    return _TAG.sub("", text) if "<" in text and _TAG.search(text) else text


def unquoted(lines: list[str]) -> list[str]:
    """Without the marks before quoted lines (``> > ``), fences, and the ticks or stars around a line."""
    for _ in range(MAX_LEVELS):
        if not any(map(_MARK.match, lines)):
            break
        before, lines = lines, [line for run, quoted in _runs(lines) for line in _bared(run, quoted)]
        if lines == before:
            break
    return [_AROUND.sub(r"\1\3", line) if line[-1:] in ("`", "*") else line for line in map(_unfenced, lines)]


def _unfenced(line: str) -> str:
    return "" if _FENCE.match(line) else line


def _bared(run: list[str], quoted: bool) -> list[str]:
    """The blank behind a mark is the mark's, unless some line has none there."""
    if not quoted:
        return run
    bare = [line.lstrip(" ")[1:] for line in run]
    return [line[1:] for line in bare] if all(line[:1] in ("", " ") for line in bare) else bare


def _runs(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """Lines one behind the other with a mark, and whether it is one of quoting; the others."""
    run: list[str] = []
    marked, asked = False, False
    for line in [*lines, ""]:
        mark = line.lstrip(" ")[:1] if _MARK.match(line) else ""
        if bool(mark) != marked and run:
            yield run, marked and _quoted(run, asked)
            asked = not marked and PROMPT.match(run[-1]) is not None
            run = []
        marked = bool(mark)
        run.append(line)
    yield run[:-1], False


def _quoted(run: list[str], asked: bool) -> bool:
    """Not nslookup's own prompt with what was asked there, not PowerShell's ``>>``, not a table of Markdown."""
    if asked and all(line.startswith(">>") for line in run):
        return False
    if any(line.lstrip()[0] == "|" for line in run):
        return len(run) > 2 and not any(map(_TABLE_ROW.match, run))
    bare = [_MARK.sub("", line, count=1) for line in run]
    return not all(_ASKED.match(line.strip()) for line in bare if line.strip()) or not any(bare)


def dedented(lines: list[str]) -> list[str]:
    """Blocks that stand in as a whole (as code does in Markdown) back at the left.

    A block goes from a blank line to a blank line, and holds a prompt or a header at its own left edge, or a label that
    stands in farther than ipconfig's do. What goes on from the line before, as PowerShell's values do, has none of
    these, or no blank line before.
    """
    found: list[str] = []
    start, blank = 0, True
    inside = False
    for number, line in enumerate([*lines, "."]):
        at_left = bool(line) and not line[0].isspace()
        if inside and at_left:
            found += _dedent(lines[start:number]) if blank or number == len(lines) else lines[start:number]
            inside = False
        if not inside and line and not at_left and blank:
            start, inside = number, True
        if not inside and number < len(lines):
            found.append(line)
        blank = not line
    return found


def _dedent(block: list[str]) -> list[str]:
    edge = min(len(line) - len(line.lstrip()) for line in block if line)
    bare = [line[edge:] for line in block]
    for line, after in pairwise([*bare, ""]):
        header = line.endswith(":") and not after and ". ." not in line
        if line[:1].strip() and (header or PROMPT.match(line) or (edge > 3 and _LABELLED.match(line))):
            return bare
    return block


def single_spaced(lines: list[str]) -> list[str]:
    """Without the blank line that some programs put behind every line."""
    filled = sum(map(bool, lines))
    doubled = sum(bool(one) and not two for one, two in pairwise([*lines, ""]))
    if filled < 5 or doubled < filled * 0.95 or sum(not line for line in lines) < filled * 0.95 - 1:
        return lines
    found: list[str] = []
    skip = False
    for line in lines:
        if line or not skip:
            found.append(line)
        skip = bool(line)
    return found


def unwrapped(lines: list[str]) -> list[str]:
    """Lines that a mail program has broken at a blank are whole again: settings, and rows of tables.

    A row of PowerShell's that reaches its last column is whole, however wide it is.
    """
    found: list[str] = []
    last = ""
    reach = 0
    for line in lines:
        reach = (powershell_table.reach(found, line) or reach) if line else 0
        if last and line and not 0 < reach < len(last) and _broken(last, line):
            found[-1] += " " + line
            last = ""
            continue
        found.append(line)
        last = line if len(line) > 40 or line.endswith(" :") else ""
    return found


def _broken(line: str, rest: str) -> bool:
    word = rest.partition(" ")[0]
    if word == rest and (
        _CUT_ROUTE.match(line) or (line.endswith(" :") and rest.startswith(("https://", "http://")))
    ):
        return True
    return (
        len(line) < MAIL_WIDTHS.stop
        and len(line) + 1 + len(word) >= MAIL_WIDTHS.start
        and not line.endswith((":", "---", "==="))
        and (_LABELLED.match(line) is not None or _COLUMNS.search(line) is not None)
        and PROMPT.match(line) is None
        and _OWN.match(rest) is None
    )
