"""The demo's steps of translation: IPv4-only machines and remote clients reach one another, by name."""

import re
import signal
from ipaddress import IPv4Address

from manageout.lab import network, process, servers, site
from manageout.lab.demo.names import await_registered
from manageout.lab.process import Process
from manageout.lab.run import DROP_SECONDS, Run, disconnect, expect, fast_path, fetch, forbidden
from manageout.lab.topology import APP, APP_NAME, LAPTOP_NAME, REMOTE, SSH_PORT
from manageout.service.process.rows import SessionRow
from manageout.wire.address import rfc6052_embed

TUNNEL_MTU = 1280
TRANSLATED_MTU = TUNNEL_MTU - 20
"""The largest IPv4 packet that becomes one of the tunnel's."""
IPV4_ECHO = 28
"""Bytes of headers in an IPv4 echo request."""
SLOW_RATE = round(6_000_000 / network.PATIENCE**2)
"""Bytes a second of the tablet's transfer, which then outlasts the laptop's return; a slow machine's return is long."""
SOME_BYTES = 100_000
VANISH_SECONDS = 10.0


def app_address() -> str:
    """app as clients see it."""
    return str(rfc6052_embed(site.gateway_plan().nat64, APP))


def on_fast_path(run: Run) -> str:
    return fast_path(run, "gateway", "translation", "eBPF translates")


def open_app(run: Run) -> str:
    page = network.run("laptop", ["curl", "--silent", "--show-error", "--fail", f"http://{APP_NAME}/"]).stdout
    expect(page == servers.APP_PAGE, f"http://{APP_NAME}/ is {page!r}")
    seen, lease = last_caller("app"), site.lease("laptop")
    expect(seen == lease, f"app saw {seen} instead of the laptop's lease {lease}")
    return f"http://{APP_NAME}/ answered; app, without IPv6, saw the laptop as {seen}"


def last_caller(node: str) -> IPv4Address | None:
    """Whose was the last request that the web server on ``node`` has noted."""
    log = (network.directory(node) / "web.log").read_text()
    callers = re.findall(r"^([0-9.]+) - - \[", log, re.MULTILINE)
    return IPv4Address(callers[-1]) if callers else None


def fetch_file(run: Run) -> str:
    return fetch("app", LAPTOP_NAME, f" by IPv4 from {site.lease('laptop')}")


def refuse(run: Run) -> str:
    return f"{forbidden('app', APP, LAPTOP_NAME, SSH_PORT)}, from {APP}"


def traces(run: Run) -> str:
    outward = trace("app", ["traceroute", "-4", "-n", "-I", LAPTOP_NAME])
    inward = trace("laptop", ["traceroute", "-6", "-n", "-I", APP_NAME])
    for who, hops, wanted in (("app", outward, str(site.lease("laptop"))), ("laptop", inward, app_address())):
        right = hops[-1] == wanted and "*" not in hops and len(hops) >= 2
        expect(right, f"from {who}: {' → '.join(hops)}, which should end at {wanted}")
    return f"app → {' → '.join(outward)}\nlaptop → {' → '.join(inward)}"


def trace(node: str, argv: list[str]) -> list[str]:
    """The hops that ``traceroute`` on ``node`` shows; ``*`` for one that is silent."""
    lines = network.run(node, [*argv, "-q", "2", "-w", "2", "-m", "8"]).stdout.splitlines()[1:]
    return [line.split()[1] for line in lines]


def path_mtu(run: Run) -> str:
    fits = TRANSLATED_MTU - IPV4_ECHO
    expect("1 received" in _ping_df(fits), f"{TRANSLATED_MTU} bytes from app are lost")
    told = _ping_df(fits + 1)
    is_told = f"mtu={TRANSLATED_MTU}" in told.replace("mtu = ", "mtu=")
    expect(is_told, f"app is not told of {TRANSLATED_MTU} bytes:\n{told}")
    probe = network.run("laptop", ["tracepath", "-6", "-n", "-m", "6", APP_NAME]).stdout
    right = f"Resume: pmtu {TUNNEL_MTU}" in probe and "reached" in probe
    expect(right, f"the laptop's tracepath:\n{probe}")
    both = "both as large as the tunnel takes"
    return f"app is told {TRANSLATED_MTU} (IPv4), the laptop {TUNNEL_MTU} (IPv6); {both}"


def _ping_df(size: int) -> str:
    argv = ["ping", "-4", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", str(size), LAPTOP_NAME]
    return network.run("app", argv, check=False).stdout


def tablet(run: Run) -> str:
    site.connect(node="tablet")
    await_registered("tablet")
    return f"{run.client('tablet')}, lease {site.lease('tablet')}"


def sessions(run: Run) -> str:
    servers.make_download("app")
    transfer = _start_transfer()
    try:
        row = process.wait_until("the session is listed", _transfer_row, DROP_SECONDS, [transfer])
    finally:
        if transfer.alive:
            process.stop(transfer)
    who = f"{row['client']} to {row['peer_name'] or row['peer']}"
    return f"{who}, {row['protocol']}/{row['port']} through {row['through']}, {row['tx_bytes']} bytes so far"


def _transfer_row() -> SessionRow | None:
    rows: list[SessionRow] = site.ask("gateway", "sessions")
    mine = (row for row in rows if row["port"] == servers.WEB_PORT and row["client"] == REMOTE["tablet"])
    return next((row for row in mine if row["tx_bytes"] > SOME_BYTES), None)


def _start_transfer() -> Process:
    """The tablet fetches app's file, slowly; its SHA-256 is at the end of the log."""
    url = f"http://{APP_NAME}/{servers.DOWNLOAD}"
    pipe = f"curl --silent --show-error --fail --limit-rate {SLOW_RATE} {url} | sha256sum"
    return process.start("tablet", "transfer", ["bash", "-c", f"set -o pipefail; {pipe}"])


def come_back(run: Run) -> str:
    wanted = servers.make_download("app")
    transfer = _start_transfer()
    before = site.lease("laptop")
    disconnect("laptop", signal.SIGKILL)
    process.wait_until("the gateway notices that the laptop is gone", _laptop_is_offline, VANISH_SECONDS)
    site.connect()
    await_registered("laptop")
    expect((after := site.lease("laptop")) == before, f"the laptop had {before} and now has {after}")
    expect(transfer.alive, "the tablet's transfer was over too soon to tell", transfer.tail())
    process.wait_until("the tablet's transfer ends", lambda: not transfer.alive, 60.0)
    expect(wanted in transfer.tail(), "the tablet's transfer was harmed", transfer.tail())
    return f"lease {after} as before; the tablet's transfer went on meanwhile, whole"


def _laptop_is_offline() -> bool:
    return not any(row["name"] == LAPTOP_NAME for row in site.ask("gateway", "clients"))
