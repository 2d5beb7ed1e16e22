"""Commands that read what is there now, over the control socket: ``--json`` for machines, ``--watch`` for both.

A row is shown as the daemon sent it. Without the daemon ``leases`` reads the file. Nothing is changed here.
"""
