"""The site on one machine, in network namespaces: for tests, demos and benchmarks.

``topology`` (data) -> ``network`` (namespaces) -> ``servers``, ``bind``, ``samba`` (other people's programs) ->
``site`` (ours) -> ``demo``; ``process`` starts and waits, ``alone`` leaves nothing behind. Nothing outside of the
namespaces is touched, and nothing in the product imports it.
"""
