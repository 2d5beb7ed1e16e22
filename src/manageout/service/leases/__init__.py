"""Connections -> clients with their leases: ``allotment`` says who gets which, ``keeper`` runs it, ``commit_queue``
stores it, and only what is on disk is told. ``conflict_detection`` asks by ARP whether an address is somebody's.

Translator, names, policy and DNS64 hear of clients from here and nowhere else.
"""
