"""This machine: kernel parameters, privileges, memory, network namespaces, systemd."""
