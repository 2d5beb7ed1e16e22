"""Programs that a place runs: roles by themselves, and peers that do what no real one does."""
