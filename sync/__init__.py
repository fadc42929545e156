"""The pure core: wire, update codec, field index, gate, arbiter, room; rules in `SPEC.md`.

Its modules are imported by name; the package itself offers nothing.
"""

__all__: list[str] = []
