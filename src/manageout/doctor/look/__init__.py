"""What this machine can see, gathered side by side: ``live`` facts, ``reach`` from a manager to a client, an archive
without secrets.
"""
