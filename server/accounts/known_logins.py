"""The log-ins that this process has recognised, by token hash and by id, in a bounded table."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from permissions.model import Principal
from storage.ports import Login

__all__ = ["KnownLogin", "KnownLogins"]


@dataclass(slots=True, kw_only=True)
class KnownLogin:
    """A log-in as it stood in the store at `checked_at`, and what happened on it since.

    touched_at: the last use that the store knows. sockets: how many are open.
    skew_ms: how far its clock was ahead, where the store does not know it yet.
    """

    login: Login
    principal: Principal
    checked_at: datetime
    last_used_at: datetime
    touched_at: datetime
    sockets: int = 0
    skew_ms: int | None = None

    def is_over(self, now: datetime, idle_seconds: int) -> bool:
        """Whether it is past its absolute end, or unused for too long."""
        idle = timedelta(seconds=idle_seconds)
        return now >= self.login.expires_at or now - self.last_used_at >= idle


class KnownLogins:
    """Least recently used log-ins leave first; those with open sockets stay."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._by_token: OrderedDict[bytes, KnownLogin] = OrderedDict()
        self._by_id: dict[str, KnownLogin] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def by_token_hash(self, token_hash: bytes) -> KnownLogin | None:
        """The log-in of this token, now the most recently used."""
        known = self._by_token.get(token_hash)
        if known is not None:
            self._by_token.move_to_end(token_hash)
        return known

    def by_id(self, login_id: str) -> KnownLogin | None:
        return self._by_id.get(login_id)

    def all(self) -> list[KnownLogin]:
        return list(self._by_token.values())

    def keep(self, login: Login, principal: Principal, now: datetime) -> KnownLogin:
        """Remember what the store said; a log-in known before keeps its sockets and last use."""
        known = self._by_id.get(login.id)
        if known is not None:
            known.login, known.principal, known.checked_at = login, principal, now
            return known
        known = KnownLogin(
            login=login,
            principal=principal,
            checked_at=now,
            last_used_at=login.last_used_at,
            touched_at=login.last_used_at,
        )
        self._by_token[login.token_hash] = self._by_id[login.id] = known
        self._shrink()
        return known

    def forget(self, login_id: str) -> bool:
        """Whether it was known until now."""
        known = self._by_id.pop(login_id, None)
        if known is not None:
            del self._by_token[known.login.token_hash]
        return known is not None

    def forget_user(self, user_id: str) -> None:
        for known in self.all():
            if known.principal.user_id == user_id:
                self.forget(known.login.id)

    def _shrink(self) -> None:
        surplus = len(self._by_token) - self._entries
        if surplus <= 0:
            return
        idle = [known.login.id for known in self._by_token.values() if not known.sockets]
        for login_id in idle[:surplus]:
            self.forget(login_id)
