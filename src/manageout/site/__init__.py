"""The site file: read, judged, planned, explained. Pure: no socket, no kernel, no clock.

TOML -> ``tables`` (frozen models, every fault at once, in ``tables.complaints``'s words) -> ``plan`` (addresses and
routes that follow) -> ``contradictions`` (the one held against the other). ``reference`` writes the models down
for people; ``advice`` says what is to be done elsewhere (advice.toml has the words). Everything but ``wire``
may import this; it imports nothing of ours.
"""
