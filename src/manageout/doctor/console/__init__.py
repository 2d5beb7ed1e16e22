"""Outputs of Windows' classic commands -> facts: ipconfig, netsh, reg, sc, route, nslookup, dnscmd, in any language
where labels are known.
"""
