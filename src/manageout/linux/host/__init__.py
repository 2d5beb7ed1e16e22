"""This machine: kernel parameters, privileges, memory, network namespaces, systemd (sd_notify(3), sd_listen_fds(3)).

What is set here is known to who asked, for its undo: nothing is remembered.
"""
