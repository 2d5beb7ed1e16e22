"""The DNS64's driver (RFC 6147): the sockets towards clients; those towards the intranet's servers are
``resolver.upstream``.

Whom it answers, and what, is decided in :mod:`manageout.protocol.dns`.
"""
