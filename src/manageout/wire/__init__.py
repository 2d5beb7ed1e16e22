"""Bytes to values and back: a module a format, named as its specification. Standard library only, no state.

Each reads within the bounds of what it was given, by ``cursor`` where lengths nest, and raises ``WireError`` alone;
what it builds it can read. Whether a value may be there is judged under ``protocol``.
"""
