"""Who is here (``attendance``), and who holds which intranet IPv4 address (``leases``).

Connections in, addresses out; what is on disk, and when it is told, belongs to the driver.
"""
