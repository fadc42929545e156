"""Puts one process together: what the store, the rooms and the application need of each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp

from permissions.policy import Policy
from server.accounts.authentication import Authenticator, Clock
from server.alerting import Alerting
from server.application import build_application
from server.audit.heads import AuditHeads
from server.background import Background
from server.emergencies import BreakGlass
from server.events import Hub
from server.house import House
from server.jobs import server_jobs
from server.logs import Log
from server.measuring import Measuring
from server.metrics import Metrics
from server.overseeing import Overseeing
from server.rooms import RoomHost
from server.settings import Settings
from server.sockets.collab import CollabEndpoint
from server.sockets.websocket import SyncEndpoint
from storage.ports import Store

__all__ = ["Assembly", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A house and the application that serves it."""

    house: House
    application: ASGIApp


def assemble(
    settings: Settings, store: Store, policies: Mapping[str, Policy], clock: Clock, log: Log
) -> Assembly:
    """Everything that serves requests, not started: the application's lifespan starts it."""
    metrics = Metrics()
    authenticator = Authenticator(settings, store, clock, metrics, log)
    rooms = RoomHost(store, policies, settings, metrics, log, clock)
    break_glass = BreakGlass(store, rooms, settings, metrics, log, clock)
    events = Hub(store, policies, settings, metrics, log, clock, authenticator)
    events.attach(rooms)
    authenticator.attach(rooms, events, holders=rooms.lock_holders)
    overseeing = Overseeing(store, rooms, events, policies, settings, clock)
    rooms.attach(events.stored, overseeing.stored)
    heads = AuditHeads(store, metrics, log)
    jobs = server_jobs(
        settings, rooms=rooms, events=events, accounts=authenticator, heads=heads,
        break_glass=break_glass, measuring=Measuring(store, rooms, policies, clock, log),
        alerting=Alerting(store, overseeing, policies, settings, clock, events.news),
    )  # fmt: skip
    house = House(
        settings=settings,
        store=store,
        rooms=rooms,
        events=events,
        policies=policies,
        clock=clock,
        authenticator=authenticator,
        metrics=metrics,
        log=log,
        heads=heads,
        break_glass=break_glass,
        background=Background(jobs, metrics, log),
        overseeing=overseeing,
    )
    sync = WebSocketRoute("/sync/{record_id}", SyncEndpoint(house, rooms))
    collab = WebSocketRoute("/collab", CollabEndpoint(house, rooms))
    application = build_application(
        house,
        routes=[sync, collab],
        lifespans=[
            house.heads.running(),
            events.running(),
            rooms.running(),
            house.background.running(),
        ],
    )
    return Assembly(house=house, application=application)
