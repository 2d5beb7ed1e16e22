"""A remote client's names: where it is (``location``), which names go through the tunnel (``name_policy`` over
``stub``), and who is told (``resolved`` or ``resolv_conf``, given back at the end). ``upstream``: sockets to servers,
also the DNS64's.
"""
