"""The kernel's links, addresses, routes, neighbours and connections, by netlink (rtnetlink(7), ctnetlink).

``messages`` is the socket; the others are themes on it. Synchronous: every call is microseconds. No rule of a
protocol.
"""
