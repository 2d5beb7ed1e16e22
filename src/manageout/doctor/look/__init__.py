"""What this machine can see, gathered side by side: ``live`` facts, ``reach`` from a manager to a client, an archive
without secrets.

``gatherer`` runs the looks, each bounded in time; ``support_bundle`` saves them after ``redact``. Only looks: nothing
is changed, and what a look means is said by ``rules``.
"""
