"""The only code that talks to other people's servers: DNS updates, Active Directory.

Never changes what it does not know to be ours, believes no answer that was not signed where signatures are wanted,
and decides nothing: what there should be is told to it.
"""
