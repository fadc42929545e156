"""What the server says about itself: health, metrics, OpenAPI, the page of calls, and the index."""

import html
from collections.abc import Sequence
from typing import Any

import msgspec

from server.errors import NotReady
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.openapi import describe_endpoints
from server.version import VERSION
from storage.ports import RecordFilter

__all__ = ["about_endpoints"]

HTML = "text/html; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
code, pre {{ font: 14px/1.5 ui-monospace, monospace }}
h2 {{ border-top: 1px solid #ccc; padding-top: 1rem }}
pre {{ overflow-x: auto; background: #f4f4f4; padding: .5rem }}
th {{ text-align: left; padding-right: 1rem }}
</style></head><body><main>
<h1>{title}</h1>
{body}
</main></body></html>
"""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """status: `ok`."""

    status: str
    version: str


async def read_health(call: Call[None, Empty]) -> Answer:
    """The process answers."""
    return Answer(value=Health(status="ok", version=VERSION))


async def read_readiness(call: Call[None, Empty]) -> Answer:
    """The store can be read and background jobs succeed; else 503, which names them."""
    late = call.house.background.late()
    if late:
        raise NotReady(f"Not done for too long: {', '.join(late)}.")
    await call.house.store.records.list(RecordFilter(limit=1))
    return Answer(value=Health(status="ok", version=VERSION))


async def read_metrics(call: Call[None, Empty]) -> Answer:
    """Counters, gauges and histograms for Prometheus."""
    await call.house.heads.measure()
    return Answer(value=call.house.metrics.render(), media_type=PROMETHEUS)


async def read_index(call: Call[None, Empty]) -> Answer:
    """A page that says what runs here."""
    body = (
        f"<p>Fieldchart {html.escape(VERSION)}, a sync server for patient records, "
        "is running. Its web app is not built: run <code>make run</code> in the source tree, or "
        "install a released package.</p><ul>"
        '<li><a href="/api/docs">The HTTP calls</a> and '
        '<a href="/api/openapi.json">their OpenAPI description</a></li>'
        "<li>Yjs editors connect to <code>/sync/{record_id}</code></li>"
        '<li><a href="/healthz">health</a>, <a href="/readyz">readiness</a>, '
        '<a href="/metrics">metrics</a></li></ul>'
    )
    return Answer(value=_page("Fieldchart", body), media_type=HTML)


def about_endpoints(others: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints of this module; the description covers `others` and these."""
    described: dict[str, bytes] = {}

    async def read_openapi(call: Call[None, Empty]) -> Answer:
        """This API as OpenAPI 3.1."""
        return Answer(value=described["json"])

    async def read_docs(call: Call[None, Empty]) -> Answer:
        """This API as a page for people."""
        return Answer(value=described["html"], media_type=HTML)

    def page(path: str, summary: str, handle: Any, media_type: str = HTML) -> Endpoint:
        return Endpoint(
            method="GET", path=path, summary=summary, handle=handle, public=True,
            media_type=media_type,
        )  # fmt: skip

    own = (
        page("/", "What runs here", read_index),
        Endpoint(
            method="GET", path="/healthz", summary="Alive", handle=read_health, answer=Health,
            public=True,
        ),
        Endpoint(
            method="GET", path="/readyz", summary="Ready", handle=read_readiness, answer=Health,
            public=True, statuses=(503,),
        ),
        page("/metrics", "Metrics", read_metrics, PROMETHEUS),
        page("/api/openapi.json", "OpenAPI description", read_openapi, "application/json"),
        page("/api/docs", "The calls as a page", read_docs),
    )  # fmt: skip
    document = describe_endpoints((*others, *own))
    described["json"] = msgspec.json.encode(document)
    described["html"] = _page("Fieldchart: HTTP calls", _calls(document))
    return own


def _page(title: str, body: str) -> bytes:
    return _PAGE.format(title=html.escape(title), body=body).encode()


def _calls(document: dict[str, Any]) -> str:
    parts = ['<p>Machine-readable: <a href="/api/openapi.json">openapi.json</a></p>']
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_call(path, method, operation))
    parts.append("<h2>Schemas</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
        summary = f"<summary><code>{html.escape(name)}</code></summary>"
        parts.append(f'<details id="{html.escape(name)}">{summary}{_pre(text)}</details>')
    return "\n".join(parts)


def _call(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><th>{html.escape(parameter['name'])}</th><td>{html.escape(parameter['in'])}</td></tr>"
        for parameter in operation["parameters"]
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if body:
        rows.append(f"<tr><th>body</th><td>{_type(body['schema'])}</td></tr>")
    for status, response in operation["responses"].items():
        content = next(iter(response.get("content", {}).values()), None)
        kind = _type(content["schema"]) if content else ""
        rows.append(
            f"<tr><th>{status}</th><td>{html.escape(response['description'])} {kind}</td></tr>"
        )
    return (
        f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
        f"<p><b>{html.escape(operation['summary'])}.</b> "
        f"{html.escape(operation['description'])}</p><table>{''.join(rows)}</table>"
    )


def _type(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref", "")
    if reference:
        name = html.escape(reference.rsplit("/", 1)[-1])
        return f'<a href="#{name}"><code>{name}</code></a>'
    return f"<code>{html.escape(schema.get('type', 'any'))}</code>"


def _pre(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"
