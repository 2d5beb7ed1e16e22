"""Clients in the intranet's DNS: ``registrar`` says which records there should be and what has still to be done,
``claims`` whose a name is, ``trusted`` which names nobody gets. How a server is told is not known here.
"""
