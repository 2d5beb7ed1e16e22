"""TLS: ``contexts``, a ``stream`` without asyncio's copies, ``certificates``, ``revocation``, and ``pki``, a small
authority.

Only this package imports ``ssl`` for our listeners; who may come in is decided by
:mod:`manageout.service.iphttps.trust`.
"""
