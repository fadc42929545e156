"""The log-ins that journals name, as `sync.journal.Hand`: their keys, their lives, their roles.

A small cache in front of the directory. It is as fresh as everything else that is known of
accounts (`account_poll_seconds`), so a revocation counts within two seconds, also one that another
process made. Keys never leave it but into the judging of a seal.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

from permissions.model import Principal
from storage.errors import LoginNotFound, UserNotFound
from storage.ports import Directory, Login, User
from sync.journal import Hand

__all__ = ["Hands", "principal_of"]

MAX_HANDS = 1024
"""Log-ins that are remembered: more than work on one server at a time."""


def principal_of(user: User, login: Login) -> Principal:
    """The person on the device of a log-in, with the roles of now."""
    return Principal(
        user_id=user.id,
        username=user.username,
        name=user.name,
        roles=user.roles,
        login_id=login.id,
        device=login.device,
        address=login.address,
    )


class Hands:
    """Looks log-ins up by id. One for all rooms."""

    def __init__(self, directory: Directory, fresh_seconds: float) -> None:
        self._directory = directory
        self._fresh = timedelta(seconds=fresh_seconds)
        self._known: OrderedDict[str, tuple[datetime, Hand | None]] = OrderedDict()

    async def find(self, login_id: str, now: datetime) -> Hand | None:
        """The log-in as a writer; None where there is none of that id. Raises storage errors."""
        known = self._known.get(login_id)
        if known is not None and now - known[0] < self._fresh:
            self._known.move_to_end(login_id)
            return known[1]
        hand = await self._read(login_id)
        self._known[login_id] = (now, hand)
        self._known.move_to_end(login_id)
        if len(self._known) > MAX_HANDS:
            self._known.popitem(last=False)
        return hand

    async def _read(self, login_id: str) -> Hand | None:
        try:
            login = await self._directory.login(login_id)
            user = await self._directory.user(login.user_id)
        except (LoginNotFound, UserNotFound):
            return None
        skew = None if login.skew_ms is None else timedelta(milliseconds=login.skew_ms)
        return Hand(
            principal=principal_of(user, login),
            created_at=login.created_at,
            ended_at=_end_of(login),
            trusted=login.ending != "revoked" and not user.disabled,
            seal_key=login.seal_key,
            skews=() if skew is None else (skew,),
            roles=tuple(await self._directory.role_changes(user.id)),
        )


def _end_of(login: Login) -> datetime:
    """Until when its owner may have written on it.

    One that expired unused may have been in use offline all the time, until its absolute end.
    """
    if login.ended_at is None or login.ending == "expired":
        return login.expires_at
    return login.ended_at
