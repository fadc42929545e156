"""Who is asking: signing in, recognising a token, ending log-ins, and cutting their sockets.

Tokens are opaque, 256 bits, and stored only as SHA-256. A log-in ends by log-out, revocation, a
disabled account, a new password, twelve idle hours or thirty days; its live sockets are cut at once
when that happens here, and within two seconds when another process did it (`watch`). Every one of
these is an audit entry with identifiers only.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
from starlette.types import Scope
from ulid import ULID

from permissions.model import Principal
from server.accounts.credentials import address_of, check_origin, credentials_from
from server.accounts.hands import principal_of
from server.accounts.known_logins import KnownLogin, KnownLogins
from server.accounts.passwords import MAX_PASSWORD_CHARACTERS, Passwords
from server.accounts.throttle import Throttle
from server.errors import NotAllowed, NotSignedIn, TooManyAttempts
from server.logs import Log
from server.metrics import Metrics
from server.ports import Cutter
from server.settings import Settings
from storage.columns import folded
from storage.errors import LoginNotFound, UserNotFound
from storage.ports import Ending, Login, Store, User
from sync.effects import AuditAction, AuditEntry, AuditOutcome

__all__ = ["Authenticator", "Clock", "token_hash_of"]

Clock = Callable[[], datetime]
"""The instant now, aware UTC. Passed in, so that tests step it."""

SIGNED_OUT = 4401
NOT_ALLOWED = 4403

SEAL_KEY_BYTES = 32

SKEW_NOTED_MS = 1000
"""A clock's error is told anew with each connection, a little otherwise: less is not stored, or the
trail, which attests what is, would consist of it."""
"""As much as HMAC-SHA256 makes use of."""

READS_PER_ROUND = 8
"""People whose log-ins one round re-reads; each costs half a millisecond of CPU."""


def token_hash_of(token: str) -> bytes:
    """What is stored of a token. A 256-bit random needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def _nobody() -> set[tuple[str, str]]:
    return set()


class Authenticator:
    """The one judge of tokens in this process.

    Who is told to `disconnect` is set with `attach`, once it exists (it needs the authenticator).
    """

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, metrics: Metrics, log: Log
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._cutters: tuple[Cutter, ...] = ()
        self._holders: Callable[[], set[tuple[str, str]]] = _nobody
        self.passwords = Passwords(settings)
        self._throttle = Throttle(
            failures=settings.login_failures,
            delay_seconds=settings.login_delay_seconds,
            delay_max_seconds=settings.login_delay_max_seconds,
            entries=settings.login_throttle_entries,
        )
        self._known = KnownLogins(settings.login_cache_entries)
        self._accounts: dict[str, User] = {}
        self._last_reread = ""

    def attach(
        self, *cutters: Cutter, holders: Callable[[], set[tuple[str, str]]] = _nobody
    ) -> None:
        """From now on the sockets and streams of an ended log-in are cut by all of these.

        holders: people and log-ins that hold what ends with the log-in, also without a socket.
        """
        self._cutters = cutters
        self._holders = holders

    async def authenticate(self, scope: Scope) -> Principal:
        """Who sends this HTTP request or opens this WebSocket, at the address it comes from.

        Raises NotSignedIn; OriginNotAllowed where the token is a cookie and the page is not ours.
        """
        credentials = credentials_from(scope)
        if credentials is None:
            raise NotSignedIn("Sign in first.")
        check_origin(scope, credentials, self._settings.allowed_origins)
        principal = await self.principal_for_token(credentials.token, self._clock())
        return msgspec.structs.replace(principal, address=address_of(scope))

    async def sign_in(
        self,
        username: str,
        password: str,
        device: str,
        address: str,
        device_at: datetime | None = None,
    ) -> tuple[str, Login, User]:
        """A new log-in and its token, which exists nowhere else.

        device_at: what time the device says it is; a log-in keeps how far it is off.

        Raises NotSignedIn (the same, after the same work, for a wrong name, a wrong password and a
        disabled account), TooManyAttempts, Overloaded.
        """
        now = self._clock()
        skew = None if device_at is None else device_at - now
        keys = (f"user:{_folded_hash(username)}", f"address:{address}")
        user = await self._user_named(username)
        where = {"user_id": user.id if user else "", "device": device, "address": address}
        try:
            with self._throttle.trying(keys, now):
                good = await self._check(user, password)
                if good:
                    self._throttle.forgive(keys)
                else:
                    self._throttle.failed(keys, now)
        except TooManyAttempts:
            self._metrics.logins["throttled"].inc()
            await self._audit("login", "denied", detail="throttled", **where)
            raise
        if user is None or not good:
            reason = "unknown user" if user is None else "disabled" if user.disabled else "password"
            self._metrics.logins["failure"].inc()
            await self._audit("login", "failure", detail=reason, **where)
            raise NotSignedIn("User name or password is wrong.")
        token, login = _new_login(user, device, address, now, self._settings.login_max_seconds)
        if skew is not None:
            login = msgspec.structs.replace(login, skew_ms=_milliseconds(skew))
        await self._store.directory.add_login(login)
        await self._audit("login", "success", login_id=login.id, **where)
        self._metrics.logins["success"].inc()
        return token, login, user

    async def _check(self, user: User | None, password: str) -> bool:
        """Whether this account opens with this password; the same work where there is none."""
        usable = user if user is not None and not user.disabled else None
        password = password if len(password) <= MAX_PASSWORD_CHARACTERS else ""
        return await self.passwords.verify(password, usable.password_hash if usable else None)

    async def principal_for_token(self, token: str, now: datetime) -> Principal:
        """Who holds this token. Raises NotSignedIn: unknown, over, or the account is disabled."""
        token_hash = token_hash_of(token)
        known = self._known.by_token_hash(token_hash)
        fresh = timedelta(seconds=self._settings.account_poll_seconds)
        if known is None or now - known.checked_at >= fresh:
            known = await self._look_up(token_hash, now)
        if known.is_over(now, self._settings.login_idle_seconds):
            await self._expire(known)
            raise NotSignedIn("This log-in has expired. Sign in again.")
        known.last_used_at = now
        await self._touch(known)
        return known.principal

    async def log_out(self, principal: Principal) -> None:
        """End this log-in and cut its sockets. What it had written and sealed stays good."""
        await self._end_login(principal.login_id, "logout", principal, "signed_out")

    async def revoke(self, principal: Principal, login_id: str) -> None:
        """End another log-in of the same person (an admin: of anybody). Raises LoginNotFound.

        From now on nobody believes what was sealed on it. One's own current log-in signs out.
        """
        if login_id == principal.login_id:
            await self.log_out(principal)
            return
        own = {login.id for login in await self._store.directory.logins(principal.user_id)}
        if login_id not in own and "admin" not in principal.roles:
            raise LoginNotFound
        await self._end_login(login_id, "login_revoked", principal, "revoked")

    @contextmanager
    def connected(self, principal: Principal) -> Iterator[None]:
        """While a socket is open: its log-in is watched and is not forgotten by the cache."""
        known = self._known.by_id(principal.login_id)
        if known is None:
            raise NotSignedIn("This log-in has ended. Sign in again.")
        if known.principal.roles != principal.roles:
            # They changed while the record was opened: the cut came too early for this socket.
            raise NotAllowed("Your roles were changed.")
        known.sockets += 1
        try:
            yield
        finally:
            known.sockets -= 1

    def used(self, login_id: str) -> None:
        """Note that somebody wrote on a socket of this log-in: it is not idle."""
        known = self._known.by_id(login_id)
        if known is not None:
            known.last_used_at = self._clock()

    def note_skew(self, login_id: str, skew: timedelta) -> None:
        """How far the device's clock was ahead just now; the next round stores it."""
        known = self._known.by_id(login_id)
        if known is not None:
            known.skew_ms = _milliseconds(skew)

    async def look_for_changes(self) -> None:
        """Find what other processes changed, what expired, what was used; once in
        `account_poll_seconds`."""
        now = self._clock()
        accounts = {user.id: user for user in await self._store.directory.users()}
        before, self._accounts = self._accounts, accounts
        for user_id, old in before.items():
            self._apply_change(old, accounts.get(user_id))
        for known in self._known.all():
            if not _is_current(known, accounts):
                self._forget_user(known.principal.user_id, SIGNED_OUT, "Sign in again.")
            elif known.is_over(now, self._settings.login_idle_seconds):
                await self._expire(known)
            else:
                await self._touch(known)
        await self._check_open_logins()

    def _apply_change(self, old: User, new: User | None) -> None:
        if new is None or (new.disabled and not old.disabled):
            self._forget_user(old.id, SIGNED_OUT, "This account is disabled.")
        elif new.password_hash != old.password_hash:
            self._forget_user(old.id, SIGNED_OUT, "The password was changed. Sign in again.")
        elif new.roles != old.roles:
            self._forget_user(old.id, NOT_ALLOWED, "Your roles were changed.")

    async def _check_open_logins(self) -> None:
        """Re-read log-ins that have open sockets or hold a field, a few people a round: who
        disables from the command line also changes the account, which every round sees."""
        holders = self._holders()
        holding = {login_id for _, login_id in holders}
        live = {known.principal.user_id for known in self._known.all() if known.sockets}
        users = sorted(live | {user_id for user_id, _ in holders})
        following = [user_id for user_id in users if user_id > self._last_reread]
        chosen = (following + users)[: min(len(users), READS_PER_ROUND)]
        for user_id in chosen:
            self._last_reread = user_id
            for login in await self._store.directory.logins(user_id):
                if login.ended_at is not None and (
                    self._known.forget(login.id) or login.id in holding
                ):
                    self._disconnect(login_id=login.id, code=SIGNED_OUT, reason="Signed out.")

    async def _user_named(self, username: str) -> User | None:
        try:
            return await self._store.directory.user_by_username(username)
        except UserNotFound:
            return None

    async def _look_up(self, token_hash: bytes, now: datetime) -> KnownLogin:
        try:
            login = await self._store.directory.login_by_token_hash(token_hash)
            user = await self._store.directory.user(login.user_id)
        except (LoginNotFound, UserNotFound) as error:
            raise NotSignedIn("Sign in first.") from error
        if login.ended_at is not None or user.disabled:
            self._known.forget(login.id)
            raise NotSignedIn("This log-in has ended. Sign in again.")
        return self._known.keep(login, principal_of(user, login), now)

    async def _touch(self, known: KnownLogin) -> None:
        await self._store_skew(known)
        interval = timedelta(seconds=self._settings.login_touch_seconds)
        if known.last_used_at - known.touched_at < interval:
            return
        known.touched_at = known.last_used_at
        await self._store.directory.touch_login(known.login.id, known.last_used_at)

    async def _store_skew(self, known: KnownLogin) -> None:
        skew_ms, known.skew_ms = known.skew_ms, None
        stored = known.login.skew_ms
        if skew_ms is None or (stored is not None and abs(skew_ms - stored) < SKEW_NOTED_MS):
            return
        known.login = msgspec.structs.replace(known.login, skew_ms=skew_ms)
        await self._store.directory.note_skew(known.login.id, skew_ms, self._clock())

    async def _expire(self, known: KnownLogin) -> None:
        if not self._known.forget(known.login.id):
            return
        self._disconnect(
            login_id=known.login.id, code=SIGNED_OUT, reason="This log-in has expired."
        )
        await self._store.directory.end_login(known.login.id, self._clock(), "expired")
        await self._audit("login_expired", "success", **_agent(known.principal))

    async def _end_login(
        self, login_id: str, action: AuditAction, principal: Principal, how: Ending
    ) -> None:
        known = self._known.by_id(login_id)
        if known is not None:
            await self._store_skew(known)  # what it sealed comes after it is over
        await self._store.directory.end_login(login_id, self._clock(), how)
        self._known.forget(login_id)
        self._disconnect(login_id=login_id, code=SIGNED_OUT, reason="Signed out.")
        await self._audit(action, "success", detail=f"login={login_id}", **_agent(principal))

    def _forget_user(self, user_id: str, code: int, reason: str) -> None:
        self._known.forget_user(user_id)
        self._disconnect(user_id=user_id, code=code, reason=reason)

    def _disconnect(
        self, *, login_id: str | None = None, user_id: str | None = None, code: int, reason: str
    ) -> None:
        cut = sum(
            each.disconnect(login_id=login_id, user_id=user_id, code=code, reason=reason)
            for each in self._cutters
        )
        if cut:
            self._metrics.disconnected.labels(str(code)).inc(cut)
            self._log.info(
                "sockets cut", count=cut, close_code=code, login_id=login_id, user_id=user_id
            )

    async def _audit(self, action: AuditAction, outcome: AuditOutcome, **what: str) -> None:
        """Of an unknown user name nothing is kept: it may be a password."""
        entry = AuditEntry(
            at=self._clock(),
            action=action,
            outcome=outcome,
            user_id=what.get("user_id", ""),
            login_id=what.get("login_id", ""),
            device=what.get("device", ""),
            address=what.get("address", ""),
            detail=what.get("detail", ""),
        )
        await self._store.append_audit([entry])


def _agent(principal: Principal) -> dict[str, str]:
    return {
        "user_id": principal.user_id,
        "login_id": principal.login_id,
        "device": principal.device,
        "address": principal.address,
    }


def _is_current(known: KnownLogin, accounts: dict[str, User]) -> bool:
    user = accounts.get(known.principal.user_id)
    return user is not None and not user.disabled and user.roles == known.principal.roles


def _folded_hash(username: str) -> str:
    return hashlib.sha256(folded(username).encode(errors="replace")).hexdigest()


def _new_login(
    user: User, device: str, address: str, now: datetime, max_seconds: int
) -> tuple[str, Login]:
    token = secrets.token_urlsafe(32)
    login = Login(
        id=str(ULID()),
        user_id=user.id,
        token_hash=token_hash_of(token),
        device=device,
        address=address,
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(seconds=max_seconds),
        seal_key=secrets.token_bytes(SEAL_KEY_BYTES),
    )
    return token, login


def _milliseconds(skew: timedelta) -> int:
    return skew // timedelta(milliseconds=1)
