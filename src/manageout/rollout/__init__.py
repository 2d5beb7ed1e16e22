"""Site file -> policies and scripts for chosen Windows machines (``targets``), also straight into Active Directory
(``publish``), each with its exact undo.
"""
