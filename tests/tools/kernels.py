"""``python -m tests.tools.kernels``: what this kernel serves, by starting the daemon: a row of the README's table."""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path
from typing import Any

from manageout.linux.bpf import isatap as isatap_bpf
from manageout.linux.bpf import xlat as xlat_bpf
from manageout.linux.host import netns
from manageout.service.check.kernel import way
from manageout.service.tls.pki import Authority
from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import NAME, ROUTE, ROUTER, Place

HEAD = "| kernel | fast path of ISATAP | fast path of the translator | slow path |\n|---|---|---|---|"
LOADS = {"isatap": isatap_bpf.loaded, "translation": xlat_bpf.loaded}


def main() -> None:
    """Print the row."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        Authority.create(directory / "pki", "Test CA").issue("gateway.corp.example", server=True)
        netns.create(NAME)
        place = Place(directory, directory / "pki")
        place.write(ROUTER, ROUTE, place.gateway, '[translation]\npool = "10.0.8.0/24"\n')
        try:
            daemon = place.start()
        except AssertionError:
            _, told = place.fails()
            columns = ["no", "no", f"refused at the start: {told[0]}"]
        else:
            roles = place.ask("status")["roles"]
            columns = [*(fast(role, roles[role]["fast_path"]) for role in LOADS), "yes"]
            assert place.stop(daemon) == 0
        print(f"| {platform.release()} | {' | '.join(columns)} |")


def fast(role: str, told: dict[str, Any]) -> str:
    """What the daemon says of its fast path."""
    return way(LOADS[role]) if told["on"] else f"no: {told['reason']}"


def errors(place: Place) -> str:
    """What ``check`` finds wrong."""
    argv = [*MANAGEOUT, "check", "--json", "--config", str(place.file)]
    found = json.loads(place.run(argv, check=False).stdout)
    return "\n".join(row["message"] for row in found if row["severity"] == "error")


def held(place: Place) -> list[str]:
    """What a daemon may change."""
    looks = ("ip link", "ip -6 route show table all", "nft list ruleset", "sysctl -a -r forwarding")
    return [place.run(look.split(), check=False).stdout for look in looks]


if __name__ == "__main__":
    main()
