"""The site on one machine, in network namespaces: for tests, demos and benchmarks."""
