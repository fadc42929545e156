"""How long tests wait before they say that something does not happen: deadlines, never waits."""

import os

__all__ = ["PATIENCE_MS", "PATIENCE_S"]

PATIENCE_S = 120.0 if os.environ.get("CI") else 30.0
"""CI may share its machine with others; at a desk a failure is to be seen soon."""
PATIENCE_MS = PATIENCE_S * 1000
