"""Builds the web app into the wheel and the sdist; an editable install needs no Node."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["WebAppHook"]


class WebAppHook(BuildHookInterface):  # type: ignore[misc, type-arg]  # hatchling has no types
    """Runs `npm ci` and vite before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Leave a bundle in server/static. An sdist brings one with it and has no web/ to build."""
        root = Path(self.root)
        web, bundle = root / "web", root / "server" / "static" / "index.html"
        if version == "editable" or not web.is_dir():
            return
        npm = shutil.which("npm")
        if npm is None:
            if bundle.is_file():
                return
            raise RuntimeError("building Fieldchart's web app needs Node 20.19 or newer with npm")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=web, check=True)
        subprocess.run([npm, "run", "build"], cwd=web, check=True)
