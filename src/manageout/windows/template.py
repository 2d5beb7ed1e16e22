"""The texts of scripts and of XML that Windows reads, with ``@@NAME@@`` where a literal belongs."""

import re
from importlib.resources import files


def filled(name: str, **literals: str) -> str:
    """The text of the file ``name``, below this package, with its literals; each is quoted as its place wants it.

    The lines of XML are for its readers here: Windows writes it without.
    """
    text = files("manageout.windows").joinpath(*name.split("/")).read_text(encoding="utf-8")
    text = text.replace("\n", "") if name.endswith(".xml") else text
    return re.sub("@@([A-Z]+)@@", lambda match: literals[match[1]], text)
