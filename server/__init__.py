"""The async shell: sockets, rooms in memory, the HTTP API, the command line."""
