"""Clients in the intranet's DNS (RFC 2136): the role ``names``, its queue on disk, its ``removal``; and the router's
own record (``router_dns``, ``router_record_watch``).

What is sent is noted on the disk before. Which record there should be is decided in :mod:`manageout.protocol.names`.
"""
