"""Names of the site's own machines, as far as its file tells: no client gets one, also while nobody has it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from manageout.errors import ManageoutError
from manageout.protocol.names.claims import plain
from manageout.service.tls.certificates import load_certificate, names_of
from manageout.site.tables.site import Site
from manageout.wire.host_port import host_of


def own_names(site: Site) -> frozenset[str]:
    """Whole names, or first labels where the file has only those."""
    return frozenset(plain(name) for name in _of(site) if name)


def _of(site: Site) -> Iterator[str]:
    if site.names is not None:
        yield from site.names.reserved
    if site.dns64 is not None:
        yield from site.dns64.blocked
    if site.isatap is not None:
        yield site.isatap.name
    if site.rollout is not None:
        yield site.rollout.gateway_name
        for url in (site.rollout.location_url, *(text.partition(":")[2] for text in site.rollout.resources)):
            yield host_of(url) if "//" in url else url
    for manager in site.policy.managers:  # whoever has the name has its permissions
        yield from (source for source in manager.source if isinstance(source, str))
    yield socket.gethostname().partition(".")[0]
    if site.gateway is not None:
        with contextlib.suppress(ManageoutError):
            yield from names_of(load_certificate(site.gateway.certificate))
