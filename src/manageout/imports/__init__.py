"""Somebody's DirectAccess farm -> a site file. What is not known is asked for, not guessed.

``farm`` puts together what servers say, ``domain`` and ``names`` what policies say, ``site`` writes the TOML. Only
reads evidence; nothing of the farm is touched.
"""
