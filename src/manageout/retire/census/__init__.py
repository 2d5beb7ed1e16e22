"""Everything that has to do with ISATAP in a site: hosts, records, names, policies; from every source that is there.

``hosts``, ``names`` and ``policies`` each read one kind, ``census`` puts them together. A source that does not answer
is told as such: what was not seen is not counted as absent.
"""
