"""The version of this program, read from its installed metadata.

`fieldchart` stands above `server`, so `server` may not import it to ask.
"""

from importlib.metadata import version

__all__ = ["VERSION"]

VERSION = version("fieldchart")
