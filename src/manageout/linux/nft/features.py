"""What of nftables this machine's kernel and ``nft`` can do beyond the ordinary."""

import shutil
from functools import cache
from typing import NamedTuple

from manageout.errors import KernelError, NotPermitted
from manageout.linux.nft import program as nft

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
    try:
        nft.trial("inet manageout-probe", body)
    except NotPermitted:
        return True
    except KernelError:
        # Without nft the table itself cannot be loaded either, which is told.
        return shutil.which("nft") is None
    return True
