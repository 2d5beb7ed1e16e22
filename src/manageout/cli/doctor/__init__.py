"""``manageout doctor``: evidence, this machine (``live``), a way from hop to hop (``reach``), a code ``explain``ed."""
