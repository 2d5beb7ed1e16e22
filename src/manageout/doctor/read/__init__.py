"""Evidence from Windows -> facts: ``bundle`` takes files and archives, the rest reads what is in them. Pure and
bounded, for evidence comes from strangers; what was not read is named.
"""
