"""ISATAP's drivers: ``router`` (a role) and ``join``/``host`` (a process), each around one machine of
:mod:`manageout.protocol.isatap`; ``io`` has the sockets, ``report`` what is shown. No protocol is decided here.
"""
