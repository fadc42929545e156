"""The same load on Fieldchart and on its peers, in one run: `python -m benchmarks.peers`."""
