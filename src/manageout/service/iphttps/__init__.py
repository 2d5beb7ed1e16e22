"""IP-HTTPS's drivers.

Gateway: ``listeners`` (or ``balancers``) -> ``acceptor`` (handshakes in a thread, ``trust`` judges) ->
``connection`` -> ``server`` (the role, the TUN devices). Client: ``dial`` -> ``client``, which sets up its device;
``connect`` is the process. A refusal has a name (``refusals``) before it has a line.
"""
