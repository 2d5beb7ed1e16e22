"""What all machines share: drops with their names, bounded counts, budgets, longest prefixes, lines for the log.

The features beside this package may import it; it imports none of them.
"""
