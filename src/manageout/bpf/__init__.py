"""Compiled eBPF objects (built from ``bpf/`` by ``build_bpf.py``)."""
