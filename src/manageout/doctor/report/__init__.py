"""Facts and findings as pages and JSON: ``page`` of the guide, ``live_report`` for people, ``live_json`` for
machines.

What is read back was written by anybody: every value is checked. No finding is made here.
"""
