"""Active Directory, through Samba's bindings: ``domain`` starts ``gpo_samba``, with ``census_samba``, as a program of
its own under the system's Python (they import nothing of ours), one JSON object in, one out ([MS-GPOL],
[MS-GPREG]).

What is written is read back; a policy is saved before it is changed.
"""
