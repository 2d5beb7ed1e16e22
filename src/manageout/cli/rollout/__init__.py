"""``manageout rollout``, by what carries it: files, Active Directory (``ad``), the DNS (``dns``)."""
