"""The HTTP API: one module per resource; a handler parses, calls and answers."""
