"""Sans-IO protocol machines: time is an argument; no socket, clock, task or log."""
