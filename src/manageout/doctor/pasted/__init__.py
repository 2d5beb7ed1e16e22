"""What people paste -> outputs of single commands: ``lines`` (quoting, fences, indentation), ``segments`` by prompt,
command (``commands``) or shape (``shapes``), each of its machine (``machines``); ``unread`` names what nobody
reads.

Pure and bounded. What an output means is read in ``console`` and ``powershell``.
"""
