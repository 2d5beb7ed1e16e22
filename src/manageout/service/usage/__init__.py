"""Who opens connections to clients: ``log`` hears the kernel, ``rows`` sums up in bounded memory, the store keeps
days.

Evidence for the way out of ISATAP: time is counted by the monotonic clock, and what was not watched is not called
quiet.
"""
