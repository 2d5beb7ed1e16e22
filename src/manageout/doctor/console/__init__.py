"""Outputs of Windows' classic commands -> facts: ipconfig, netsh, reg, sc, route, nslookup, dnscmd, in any language
where labels are known.

Labels stand in ``doctor/languages.toml``. A value that is not understood is left out, not guessed; nothing is judged.
"""
