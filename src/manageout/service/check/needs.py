"""What a table of the site file needs on this machine beside the daemon, for ``manageout check``: packages, places."""

import os
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from manageout.directory.ad.domain import PYTHON
from manageout.service.check.found import Remark, remark
from manageout.site.tables.site import Site

WAIT = 20.0


def needs(site: Site) -> Iterator[Remark]:
    """What is missing for each table that is there."""
    if site.names is not None and site.names.authentication == "kerberos" and find_spec("gssapi") is None:
        yield remark("no-gssapi")
    rollout = site.rollout
    if rollout is not None and (rollout.managers_group or rollout.clients_group) and not _samba():
        yield remark("no-samba")
    yield from _directory("daemon.state_dir", site.daemon.state_dir)
    yield from _directory("daemon.runtime_dir", site.daemon.runtime_dir)


def restart(site: Site, roles: frozenset[str]) -> Iterator[Remark]:
    """Tables that the running daemon does not serve yet, or still does; ``roles``: by its status, empty if unknown."""
    for table in ("gateway", "isatap", "translation", "dns64", "names") if roles else ():
        wanted, there = getattr(site, table) is not None, bool(roles & _ROLES.get(table, {table}))
        if wanted != there:
            yield remark("table-new" if wanted else "table-gone", table=table)


_ROLES = {"gateway": {"iphttps"}, "names": {"names", "router-name"}}
"""Table -> the daemon's roles of it, any of which shows that it is served; of others the one of the same name."""


def _samba() -> bool:
    """It lives in the system's Python, not in ours."""
    try:
        done = subprocess.run([PYTHON, "-c", "import samba"], capture_output=True, timeout=WAIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _directory(option: str, path: Path) -> Iterator[Remark]:
    """There, or to be made in what is there. Only root knows what the daemon may."""
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not there.is_dir():
        yield remark("no-directory", option=option, path=path, there=there)
    elif os.geteuid() == 0 and os.statvfs(there).f_flag & os.ST_RDONLY:
        yield remark("read-only-directory", option=option, path=path)
