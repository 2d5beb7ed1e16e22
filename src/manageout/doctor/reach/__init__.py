"""The way from a manager to a client, hop by hop, each with its verdict: pure, from what ``look`` has seen."""
