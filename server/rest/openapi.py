"""The OpenAPI 3.1 description, generated from the same endpoints that the server obeys."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from server.problems import MEDIA_TYPE, Problem
from server.rest.endpoint import JSON, Empty, Endpoint
from server.version import VERSION

__all__ = ["describe_endpoints"]

_PARAMETER = re.compile(r"{([a-z_]+)}")
_REFERENCE = "#/components/schemas/{name}"


def describe_endpoints(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of `endpoints`."""
    types = _types_of(endpoints)
    schemas, components = msgspec.json.schema_components(
        types, schema_hook=_schema_of_any, ref_template=_REFERENCE
    )
    schema_of = dict(zip((_key(kind) for kind in types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schema_of, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Fieldchart", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "fieldchart_session"},
            },
        },
        "security": [{"bearer": []}, {"cookie": []}],
    }


def _types_of(endpoints: Sequence[Endpoint]) -> list[Any]:
    found: dict[str, Any] = {_key(Problem): Problem}
    for endpoint in endpoints:
        for kind in (endpoint.body, endpoint.answer, endpoint.query):
            if kind is not None:
                found.setdefault(_key(kind), kind)
    return list(found.values())


def _schema_of_any(kind: type) -> dict[str, Any]:
    """Fields hold any JSON value (`object`); the profile says which."""
    if kind in (object, msgspec.Raw):
        return {"description": "Any JSON value; the profile says which."}
    raise NotImplementedError


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(
    endpoint: Endpoint, schema_of: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": (endpoint.handle.__doc__ or "").strip(),
        "operationId": endpoint.handle.__name__,
        "parameters": _parameters(endpoint, components),
        "responses": _responses(endpoint, schema_of),
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": not endpoint.without_body,
            "content": {JSON: {"schema": schema_of[_key(endpoint.body)]}},
        }
    if endpoint.public:
        operation["security"] = []
    return operation


def _parameters(endpoint: Endpoint, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    found += [
        {"name": name, "in": "header", "required": True, "schema": text}
        for name in endpoint.request_headers
    ]
    if endpoint.query is not Empty:
        found += [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in components[endpoint.query.__name__]["properties"].items()
        ]
    return found


def _responses(endpoint: Endpoint, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.answer is not None:
        good["content"] = {endpoint.media_type: {"schema": schema_of[_key(endpoint.answer)]}}
    elif endpoint.status != HTTPStatus.NO_CONTENT:
        good["content"] = {endpoint.media_type: {"schema": {"type": "string"}}}
    responses = {str(endpoint.status): good}
    problem = {MEDIA_TYPE: {"schema": schema_of[_key(Problem)]}}
    for status in sorted({*endpoint.statuses, *([] if endpoint.public else [401]), 500}):
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
    return responses
