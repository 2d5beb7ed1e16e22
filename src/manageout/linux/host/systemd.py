"""Tell systemd how we are (sd_notify(3)); does nothing when systemd does not listen."""

import contextlib
import os
import socket
import subprocess
import time

FIRST_DESCRIPTOR = 3
MAX_DESCRIPTORS = 64


def notify(state: str) -> None:
    """Send ``state``, for example "READY=1"; fields are separated by newlines."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
        messenger.sendto(state.encode(), address)


def reloading() -> None:
    """Tell that the configuration is being read again (Type=notify-reload wants the time as well)."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def inherited_sockets() -> list[socket.socket]:
    """Sockets that systemd has opened for this process (sd_listen_fds(3)); handed out once, and to no child."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)  # we know them by their addresses
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + min(int(count), MAX_DESCRIPTORS)):
        with contextlib.suppress(OSError):  # no socket: not for us
            os.set_inheritable(descriptor, False)
            found.append(socket.socket(fileno=descriptor))
    return found


def kept_places(unit: str) -> list[str]:
    """Where a socket unit listens just now, as ``ADDRESS:PORT``; nothing where there is no such unit, or no systemd."""
    argv = ["systemctl", "show", "--property=ActiveState,Listen", unit]
    try:
        shown = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = shown.splitlines()
    if "ActiveState=active" not in lines:
        return []
    return [line.removeprefix("Listen=").partition(" ")[0] for line in lines if line.startswith("Listen=")]


def watchdog_interval() -> float | None:
    """Seconds between signs of life that systemd wants, halved as it advises; None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 2e6 if microseconds and microseconds.isdigit() else None
