"""Named skips: only where the kernel lacks what a test is about, and only below the version that has it."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess

import pytest

from manageout.linux.nft import program as nft


def linux() -> tuple[int, int]:
    """The version that runs: (6, 12)."""
    major, minor = re.findall(r"\d+", platform.release())[:2]
    return int(major), int(minor)


def since(major: int, minor: int, what: str) -> pytest.MarkDecorator:
    """Skip on a kernel before the one that came with ``what``."""
    reason = f"Linux {platform.release()} has no {what}: that came with {major}.{minor}"
    return pytest.mark.skipif(linux() < (major, minor), reason=reason)


TCX = since(6, 6, "tcx")


def track_connections() -> None:
    """Have connection tracking there, with its parameters: it is a module that a rule loads."""
    nft.trial("inet mo-test-tracking", "chain tracked { ct state new accept; }")


AES_GCM = ["aead", "rfc4106(gcm(aes))", f"0x{bytes(range(20)).hex()}", "128"]
"""For ``ip xfrm state``: one key for all, which is nobody's."""

_STATE = ["ip", "xfrm", "state", "add", "src", "::1", "dst", "::1", "proto", "esp", "spi", "256"]
_TRIED = {
    "sit": ["ip", "link", "add", "probe", "type", "sit", "local", "10.0.0.1"],
    "netem": ["tc", "qdisc", "add", "dev", "lo", "root", "netem"],
    "vrf": ["ip", "link", "add", "probe", "type", "vrf", "table", "7"],
    "br_netfilter": ["sysctl", "net.bridge.bridge-nf-call-iptables"],
    "esp6": [*_STATE, *AES_GCM],
}


def require(what: str) -> None:
    """Skip where the kernel was built without ``what``."""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "--quiet", what], check=False)
    tried = subprocess.run(["unshare", "--net", *_TRIED[what]], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"Linux {platform.release()} has no {what}: {tried.stderr.strip().splitlines()[-1]}")
