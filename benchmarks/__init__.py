"""Benchmarks: ours beside a naive version and a peer, in one run, as medians and ratios. `python -m
benchmarks -h`.
"""
