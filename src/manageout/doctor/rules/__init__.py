"""The rules, a file a theme; importing this package registers them all."""

from manageout.doctor.rules import (
    addresses,
    client,
    connection,
    deployment,
    discovery,
    dns,
    evidence,
    iphttps,
    live_certificates,
    live_host,
    live_isatap,
    live_names,
    machine,
    manager,
    reach,
    server,
)

__all__ = [
    "addresses",
    "client",
    "connection",
    "deployment",
    "discovery",
    "dns",
    "evidence",
    "iphttps",
    "live_certificates",
    "live_host",
    "live_isatap",
    "live_names",
    "machine",
    "manager",
    "reach",
    "server",
]
