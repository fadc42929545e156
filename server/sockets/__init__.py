"""WebSockets: the two protocols, one connection's outbox, and the framing under them."""

__all__: list[str] = []
