"""Files that one process at a time may hold (flock(2)); the lock ends with the last copy of the descriptor."""

import fcntl


def lock(descriptor: int, shared: bool = False, wait: bool = False) -> bool:
    """Take it; False when another process holds it. ``shared``: beside others who share. ``wait``: until it is free."""
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    return True
