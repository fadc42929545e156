"""`fieldchart serve`: checks what can be checked, listens, drains, and closes the store."""

import asyncio
import contextlib
import gc
import ipaddress
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

from permissions.policy import Policy
from server.commands.errors import CommandError
from server.demo import make_demo_accounts, make_demo_records
from server.logs import configure_logs
from server.ports import Rooms
from server.profiles import load_policies
from server.settings import Settings
from server.sockets.framing import FramingProtocol
from server.sockets.patience import PatientProtocol
from server.sockets.read_window import ReadWindow
from storage import SqliteStore, StoreSettings

__all__ = ["open_store", "serve_forever", "spare_the_collector"]

BACKLOG = 2048

GC_ALLOCATIONS = 5_000
"""Containers made between two looks for garbage: an edit makes some dozens and leaves no cycles."""

SWITCH_SECONDS = 0.0005
"""How long the loop may keep the interpreter from the writer thread. At CPython's 5 ms a busy loop
kept an append waiting for seconds (measured in storage/writer.py)."""


def serve_forever(settings: Settings, *, demo: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; what was acknowledged is on disk when this returns.

    Raises CommandError, ProfileError, storage.StorageError, OSError before anything is served.
    """
    if demo and not _is_loopback(settings.host):
        raise CommandError(
            f"--demo has well-known passwords and listens on loopback only, not on {settings.host}"
        )
    policies = load_policies(settings.profiles)
    sys.setswitchinterval(SWITCH_SECONDS)
    _check_tls(settings)
    _prepare_data(settings)
    listener = _bind(settings)
    with contextlib.closing(listener), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, policies, listener, demo=demo))


@contextlib.asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[SqliteStore]:
    """The store of the data directory, closed at the end. Raises storage.StorageError."""
    bounds = StoreSettings(
        window_ms=settings.commit_window_ms, max_queued=settings.commit_queue,
        ladder_updates=settings.snapshot_ladder_updates,
    )  # fmt: skip
    store = await SqliteStore.open(settings.database, bounds)
    try:
        yield store
    finally:
        await store.close()


async def _serve(
    settings: Settings, policies: Mapping[str, Policy], listener: socket.socket, *, demo: bool
) -> None:
    from server.assembly import assemble

    log = configure_logs(settings.log_format, settings.log_level)
    for policy in policies.values():
        for words in policy.profile.words.values():
            if words.missing:
                log.warning(
                    "words missing: `fieldchart profile check` names them",
                    profile=policy.profile.name,
                    language=words.language,
                    words=len(words.missing),
                )
    async with open_store(settings) as store:
        clock = _now
        assembly = assemble(settings, store, policies, clock, log)
        house = assembly.house
        if demo:
            roles = [role for policy in policies.values() for role in policy.profile.roles]
            await make_demo_accounts(store, roles, house.authenticator.passwords, clock)
        server = _Server(
            _uvicorn_settings(settings, assembly.application), _url(settings, listener)
        )
        server.when_stopping = house.events.stop
        if demo:
            server.when_started = lambda: _demonstrate(store, house.rooms, policies)
        await server.serve(sockets=[listener])


async def _demonstrate(store: SqliteStore, rooms: Rooms, policies: Mapping[str, Policy]) -> None:
    for excuse in await make_demo_records(store, rooms, policies):
        sys.stderr.write(f"{excuse}\n")


def spare_the_collector() -> None:
    """What lives as long as the process is not looked at again by the garbage collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 10, 10)


class _Server(uvicorn.Server):
    """uvicorn, which says when it is ready and returns after a signal instead of dying of it."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url
        self.when_started: Any = None
        self.when_stopping: Any = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then prepare what needs live rooms, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            spare_the_collector()
            if self.when_started is not None:
                await self.when_started()
            sys.stdout.write(f"listening on {self._url}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would never end by itself, then drain."""
        if self.when_stopping is not None:
            self.when_stopping()
        await super().shutdown(sockets=sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again after draining, before our store is closed."""

        def handle(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {
            number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _uvicorn_settings(settings: Settings, application: ASGIApp) -> uvicorn.Config:
    window = ReadWindow(settings.commit_window_ms / 1000)
    framing: Any = partial(FramingProtocol, window=window)
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=PatientProtocol,
        ws=framing,
        ws_max_size=settings.ws_max_size_bytes,
        ws_per_message_deflate=False,  # 1.5 times the CPU, and CRDT bytes hardly shrink
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_tls(settings: Settings) -> None:
    if not settings.tls_cert:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: "")
    except ssl.SSLError as error:
        raise CommandError(
            f"{settings.tls_cert}, {settings.tls_key}: not a usable certificate and key"
            f" ({error.reason or 'cannot be parsed'})"
        ) from error
    except OSError as error:
        raise CommandError(
            f"{settings.tls_cert}, {settings.tls_key}: cannot be read: {error.strerror}"
        ) from error


def _prepare_data(settings: Settings) -> None:
    folder = settings.database.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CommandError(f"{folder}: data cannot be written here: {error.strerror}") from error


def _bind(settings: Settings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise CommandError(f"cannot listen on {where}: {error.strerror}") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # else a second server binds as well, and only listening fails
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise CommandError(f"cannot listen on {where}: {error.strerror}") from error
    return listener


def _url(settings: Settings, listener: socket.socket) -> str:
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"
