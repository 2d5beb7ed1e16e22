"""Who opens connections to clients: ``log`` hears the kernel, ``rows`` sums up in bounded memory, the store keeps
days.
"""
