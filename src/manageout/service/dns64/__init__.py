"""The DNS64's driver: ``dns64`` has the sockets towards clients, ``upstream`` those towards the intranet's servers."""
