"""DNS as machines: ``dns64`` (RFC 6147) with ``prefixes`` and ``answers``; ``forwarder`` asks the intranet's
servers, ``cache`` keeps what may be kept (RFC 2308); ``stub`` is the client's end.

Messages are bytes or dnspython's; no socket, no random numbers but those that are handed in.
"""
