"""Windows artefacts, rendered and read. Pure: no file, no socket; text and bytes in and out.

``policies`` (every value and why) -> ``registry_pol`` ([MS-GPREG]) and ``gpo_report`` -> ``backup`` (a folder for
Import-GPO), ``gpo`` (against what is there); ``powershell`` and ``netsh`` for machines without policies; ``gpo_read``
and ``text`` read. Each artefact has its exact inverse; no machine is named here.
"""
