"""nftables: ``libnftables`` and ``tables`` load and own our tables in one transaction, ``sets`` changes elements by
netlink, ``features`` and ``rules`` ask what is there, ``evaluate`` judges a packet as the kernel would. What the
rules say is decided in :mod:`manageout.service.policy`.
"""
