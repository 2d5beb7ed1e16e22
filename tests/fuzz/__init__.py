"""Fuzz drivers: one for each decoder and machine. ``python -m tests.fuzz --help`` runs them."""
