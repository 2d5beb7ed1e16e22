"""IP-HTTPS ([MS-IPHTTPS]) as machines.

Server (3.2): ``newcomers`` -> ``server`` -> ``session``; its packets through ``link``, its Neighbour Discovery by
``discovery``, addresses by ``owners``. Client (3.1): ``client`` over the table ``states`` with ``reconnect`` and
``uplink``; packets through ``client_link``, addresses and routes by ``host``. ``values`` are what machines and
drivers exchange. No TLS here: bytes are what TLS carried.
"""
