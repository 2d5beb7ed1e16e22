"""``manageout run``: site file -> ``desired`` state -> ``reconcile`` (ordered, idempotent steps) -> roles -> READY.

``gate`` holds everything shut while our rules are absent; ``kernel_watch`` keeps the kernel as desired until the next
reload and tells what it does not mend. See docs/adr/0004-daemon.md.
"""
