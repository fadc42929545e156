"""Fieldchart: an offline-first sync server for patient records."""

__version__ = "0.1.0"
__all__ = ["__version__"]
