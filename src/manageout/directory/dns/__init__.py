"""Other people's DNS servers: ``update`` (RFC 2136) signed by ``tsig`` or ``gss_tsig``, ``answer`` checked as
servers really sign, ``zones`` found, ``zone_records`` read, and the two records that are ours: the router's name
and ISATAP's.

Never changes a record that it does not know to be ours.
"""
