"""The tables of the site file as frozen pydantic models: one module a theme, ``types`` for what they are made of.

A default stands here and nowhere else. What two tables mean together is judged in
:mod:`manageout.site.contradictions`.
"""
