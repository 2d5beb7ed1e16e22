"""Compiled eBPF objects, built from ``bpf/`` by ``build_bpf.py``; only ``linux.bpf`` loads them. No Python is here."""
