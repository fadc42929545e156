"""The pure core: wire, update codec, field index, gate, arbiter, room; rules in `SPEC.md`.

Its modules are imported by name; the package itself offers nothing.
"""

from native import search_path

__all__: list[str] = []

__path__ = search_path(__name__)
