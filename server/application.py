"""Puts the ASGI application together: the HTTP API, what the lead adds, static files, lifespan."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from server.house import House
from server.middleware import Outermost, not_found
from server.rest import (
    assignments,
    audit,
    board,
    colleagues,
    conflicts,
    dashboard,
    emergencies,
    events,
    history,
    locks,
    login,
    numbers,
    past,
    profiles,
    records,
    refusals,
    sessions,
    steps,
    users,
)
from server.rest.about import about_endpoints
from server.rest.endpoint import Endpoint, resources_of
from server.web_app import STATIC, WebApp

__all__ = ["api_endpoints", "build_application"]


def api_endpoints() -> tuple[Endpoint, ...]:
    """Every HTTP call; OpenAPI describes exactly these."""
    resources = (
        login, profiles, records, sessions, steps, assignments, conflicts, refusals, locks, audit,
        emergencies, history, past, events, board, dashboard, colleagues, users, numbers,
    )  # fmt: skip
    calls = tuple(endpoint for resource in resources for endpoint in resource.ENDPOINTS)
    return (*calls, *about_endpoints(calls))


def build_application(
    house: House,
    *,
    routes: Sequence[BaseRoute] = (),
    lifespans: Sequence[AbstractAsyncContextManager[Any]] = (),
) -> ASGIApp:
    """The application of one process.

    routes: come before the API's (`/sync/{record_id}`, `/collab`). lifespans: entered in order when
    the server starts and left in reverse when it stops.
    """
    resources = resources_of(house, api_endpoints())
    all_routes: list[BaseRoute] = [*routes]
    all_routes += [Route(resource.path, endpoint=resource) for resource in resources]
    web_app = WebApp(STATIC, not_found(house))
    if web_app.is_built:
        all_routes = [route for route in all_routes if getattr(route, "path", "") != "/"]
    router = Router(
        all_routes,
        redirect_slashes=False,
        default=web_app,
        lifespan=lambda _app: _lifespan(lifespans),
    )
    return Outermost(router, house)


@asynccontextmanager
async def _lifespan(
    lifespans: Sequence[AbstractAsyncContextManager[Any]],
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for lifespan in lifespans:
            await stack.enter_async_context(lifespan)
        yield
