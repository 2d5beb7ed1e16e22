"""``manageout rollout``, by what carries it: files, Active Directory (``ad``), the DNS (``dns``).

What is rolled out comes from :mod:`manageout.rollout`; before anything is written it is shown, and how to undo it.
"""
