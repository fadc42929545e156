"""The async shell: sockets, rooms in memory, the HTTP API, the command line.

Its modules are imported by name; the package itself offers nothing.
"""

__all__: list[str] = []
