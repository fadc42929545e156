"""Who is asking: credentials, log-ins, passwords, and an end to guessing them."""

__all__: list[str] = []
