"""``manageout doctor``: evidence, this machine (``live``), a way from hop to hop (``reach``), a code ``explain``ed.

Each reads its words, asks ``doctor.read`` or ``doctor.look``, and shows what the rules find. Nothing is judged here.
"""
