"""Bytes to values and back. Standard library only, no state."""
