"""The built web app at `/`: its files, and its page for every address that is a screen of it.

The files are those that were there when the server started. What has a hash in its name never
changes and is cached for ever; all else is asked for again, so that a new version arrives.
Without a bundle (a source checkout nobody built) `/` says how to build one; nothing else misses it.
"""

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["STATIC", "WebApp"]

STATIC = Path(__file__).parent / "static"
"""Where `make run` and the build of the wheel put the bundle (web/vite.config.ts)."""

NOT_SCREENS = frozenset({"api", "sync", "collab", "healthz", "readyz", "metrics", "assets"})
"""First parts of addresses that are never a screen: what is unknown there is a 404."""

HASHED = "assets/"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}


class _Asset(NamedTuple):
    """A file, what it is, and the compressed copies of it: encoding → path."""

    path: Path
    media_type: str
    cache: str
    copies: Mapping[str, Path]


class WebApp:
    """An ASGI application for what no route took; what it does not serve goes to `otherwise`."""

    def __init__(self, folder: Path, otherwise: ASGIApp) -> None:
        self._assets = _assets_in(folder)
        self._otherwise = otherwise

    @property
    def is_built(self) -> bool:
        """Whether there is a bundle to serve."""
        return "/index.html" in self._assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asset = self._asset_for(scope) if scope["type"] == "http" else None
        if asset is None:
            await self._otherwise(scope, receive, send)
            return
        await _answer(asset, Headers(scope=scope))(scope, receive, send)

    def _asset_for(self, scope: Scope) -> _Asset | None:
        if scope["method"] not in ("GET", "HEAD"):
            return None
        path: str = scope["path"]
        if path in self._assets:
            return self._assets[path]
        first, _, rest = path.lstrip("/").partition("/")
        last = (rest or first).rpartition("/")[2]
        if first in NOT_SCREENS or "." in last:
            return None
        return self._assets.get("/index.html")


def _answer(asset: _Asset, headers: Headers) -> Response:
    accepted = {
        one.partition(";")[0].strip() for one in headers.get("accept-encoding", "").split(",")
    }
    path, encoding = asset.path, None
    for name, _suffix in ENCODINGS:
        if name in accepted and name in asset.copies:
            path, encoding = asset.copies[name], name
            break
    told = {"cache-control": asset.cache, "vary": "accept-encoding"}
    if encoding is not None:
        told["content-encoding"] = encoding
    return FileResponse(path, media_type=asset.media_type, headers=told)


def _assets_in(folder: Path) -> dict[str, _Asset]:
    """Every file by the path it is asked for; nothing outside `folder`, nothing hidden."""
    suffixes = tuple(suffix for _name, suffix in ENCODINGS)
    return {
        f"/{name}": _Asset(
            path,
            TYPES.get(path.suffix)
            or mimetypes.guess_type(path.name)[0]
            or "application/octet-stream",
            FOR_EVER if name.startswith(HASHED) else ASK_AGAIN,
            {
                encoding: copy
                for encoding, suffix in ENCODINGS
                if (copy := path.with_name(path.name + suffix)).is_file()
            },
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in suffixes
        for name in (path.relative_to(folder).as_posix(),)
        if not any(part.startswith(".") for part in Path(name).parts)
    }
