"""The doctor's rules, a file a theme, and their texts: what NAME.py finds is told in the words of texts/NAME.toml.

``catalogue.RULES`` has them all. A rule is a function from facts to the quotes of what it sees; what is said of that,
and which findings are only its consequences, a writer changes in ``texts/`` without Python. No rule reads or asks
anything itself.
"""
