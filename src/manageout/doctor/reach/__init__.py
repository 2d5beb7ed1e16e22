"""The way from a manager to a client, hop by hop, each with its verdict: pure, from what ``look`` has seen.

``reach`` are the values, ``hops`` the walk. A hop that could not be seen is unknown, never good.
"""
