"""NAT64 and NAT46: ``translator`` is the role, ``io`` its slow path, ``lease_arp`` answers for the leases,
``ipv4_side`` is what this machine is on the intranet. What a packet becomes is decided in
:mod:`manageout.protocol.translate`.
"""
