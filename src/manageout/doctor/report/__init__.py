"""Facts and findings as pages and JSON."""
