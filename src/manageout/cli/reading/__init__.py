"""Commands that read what is there now, over the control socket: ``--json`` for machines, ``--watch`` for both."""
