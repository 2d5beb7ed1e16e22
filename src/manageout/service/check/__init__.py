"""``manageout check``: a site file held against this machine before the daemon does: files, DNS, pool, rules.
Changes nothing.
"""
