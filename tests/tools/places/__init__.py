"""Namespaces with what a system test needs in them."""
