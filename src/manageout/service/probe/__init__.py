"""One look each at a part of the network, bounded in time and in bytes; ``results`` are what they saw. Nothing is
judged here.
"""
