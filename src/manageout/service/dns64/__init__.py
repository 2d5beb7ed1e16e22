"""The DNS64's driver: the sockets towards clients; those towards the intranet's servers are ``resolver.upstream``."""
