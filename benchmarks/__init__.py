"""Measurements of speed and memory: `python -m benchmarks [name …] [--quick]`, and against peers.

The server runs as a process of its own on one core, the load on the other; what is quoted is the
server's CPU time by process accounting. Nothing here is a test: no figure fails anything.
"""
