"""The audit trail as the server writes, reads and exports it; storage keeps its chain."""

__all__: list[str] = []
