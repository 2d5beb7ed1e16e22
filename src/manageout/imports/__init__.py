"""Somebody's DirectAccess farm -> a site file. What is not known is asked for, not guessed."""
