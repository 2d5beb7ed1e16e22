"""Who may do what: site file -> ``filter`` (one text, from ``filter_*``) -> the kernel; ``members`` fills its sets,
``policy`` is the role, ``revision`` and ``verdicts`` judge connections that are open, ``sessions`` and ``report``
are shown.

Deny by default; what the rules mean is said in docs/adr/0008-policy.md.
"""
