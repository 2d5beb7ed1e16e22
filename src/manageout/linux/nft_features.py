"""What of nftables this machine's kernel and ``nft`` can do beyond the ordinary."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import NamedTuple

_COUNTS = """
set counted { type classid; size 1; flags dynamic; }
chain probe { add @counted { meta priority ct count over 1 } drop; }
"""
_TIMEOUTS = """
ct timeout probed { protocol tcp; l3proto ip6; policy = { established : 7440 }; }
chain probe { ct timeout set "probed"; }
"""


class Features(NamedTuple):
    """Whether connections can be counted by key, and given time-outs of their own."""

    counts: bool = True
    timeouts: bool = True


ALL = Features()


@cache
def features() -> Features:
    """Asks the kernel once, changing nothing. Without the right to ask, everything is taken for granted."""
    return Features(_accepted(_COUNTS), _accepted(_TIMEOUTS))


def _accepted(body: str) -> bool:
    text = f"table inet manageout-probe {{\n{body}\n}}\n"
    try:
        asked = subprocess.run(
            ["nft", "--check", "-f", "-"], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return True  # the table itself cannot be loaded either, which is told
    return asked.returncode == 0 or "not permitted" in asked.stderr
