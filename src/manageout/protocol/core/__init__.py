"""What all machines share: drops with their names, bounded counts, budgets, longest prefixes, a limit for
the log (``log_limit``).

The features beside this package may import it; it imports none of them.
"""
