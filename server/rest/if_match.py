"""`If-Match`: which version of the record the caller has read. The room's turn compares it."""

import re
from typing import Any

from server.errors import MalformedRequest, PreconditionRequired
from server.rest.endpoint import Call

__all__ = ["etag", "given_version", "required_version"]

_ETAG = re.compile(r'(?:"([0-9]{1,15})"|([0-9]{1,15}))\Z', re.ASCII)


def etag(version: int) -> dict[str, str]:
    """The header that names a record's version."""
    return {"ETag": f'"{version}"'}


def required_version(call: Call[Any, Any]) -> int:
    """The version that the caller has read. Raises PreconditionRequired, MalformedRequest."""
    version = given_version(call)
    if version is None:
        raise PreconditionRequired
    return version


def given_version(call: Call[Any, Any]) -> int | None:
    """The version that the caller has read, where they say so. Raises MalformedRequest."""
    header = call.header("if-match")
    if header is None:
        return None
    match = _ETAG.match(header.strip())
    if match is None:
        raise MalformedRequest('If-Match must be the ETag of one version, such as "12".')
    return int(match[1] or match[2])
