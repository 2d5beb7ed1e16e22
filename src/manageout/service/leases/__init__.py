"""Connections -> clients with their leases: ``allotment`` says who gets which, ``keeper`` runs it, ``writer`` commits,
and only what is on disk is told.

Translator, names, policy and DNS64 hear of clients from here and nowhere else.
"""
