"""The demo, a theme a module, each step with its proof.

``steps`` has them in order. A step looks from outside, as a user would: addresses, answers, counters; it never
believes the program that it proves.
"""
