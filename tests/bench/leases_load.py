"""Many clients, each with a certificate of its own, that connect when told: ``python -m tests.bench.leases_load``.

Everything that is a client's own preparation (keys, TLS contexts) is done before SIGUSR1; then come TCP, TLS, HTTP and
the ND messages that bind two addresses.
"""

from __future__ import annotations

import resource
import signal
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.bench.iphttps_idle import connect

THREADS = 16


def name_of(number: int) -> str:
    """The certificate name of client ``number``."""
    return f"client-{number}.corp.example"


def context(pki: str, number: int) -> ssl.SSLContext:
    """What client ``number`` connects with."""
    made = ssl.create_default_context(cafile=f"{pki}/ca.pem")
    made.load_cert_chain(f"{pki}/{name_of(number)}.pem", f"{pki}/{name_of(number)}.key")
    return made


def main(pki: str, first: int, count: int) -> None:
    """Prepare, say so, connect at SIGUSR1, say so, and wait for the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    numbers = range(first, first + count)
    contexts = [context(pki, number) for number in numbers]
    print("prepared", flush=True)
    signal.sigwait({signal.SIGUSR1})
    with ThreadPoolExecutor(THREADS) as threads:
        clients = list(threads.map(connect, contexts, numbers))
    print("connected", len(clients), flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
