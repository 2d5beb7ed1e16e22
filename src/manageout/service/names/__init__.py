"""Clients in the intranet's DNS: the role ``names``, its queue on disk, its ``removal``; and the router's own
record.
"""
