"""Site file -> policies and scripts for chosen Windows machines (``targets``), also straight into Active Directory
(``publish``), each with its exact undo.

How Windows wants them written is known to :mod:`manageout.windows`. Nothing reaches machines that were not named.
"""
