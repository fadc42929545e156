"""Whose hand an arrived update is from: looks up what its journal names, and lets the core decide.

The look-ups run in the room's turn, so that updates keep their order; other rooms go on meanwhile.
Most updates have no journal and cost nothing here. SPEC JOUR-1 to JOUR-9.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from permissions.model import Principal
from server.accounts.hands import Hands
from server.executor import Batch
from server.inbox import Arrived
from sync.effects import AuditEntry
from sync.frame import Frame
from sync.journal import Attribution, Hand, attribute, foreign_logins
from sync.room import Room
from sync.session import Session
from sync.update import Update

__all__ = ["audit_journal", "frame_of"]


async def frame_of(
    item: Arrived, update: Update, room: Room, hands: Hands, clock: Callable[[], datetime]
) -> tuple[Frame, Attribution | None]:
    """The update as a frame of whoever wrote it; and what its journal came to, if it has one."""
    session, at = item.peer.session, item.received_at
    has_answered = session.has_answered
    if item.answer:
        session.answered()
        if not has_answered and session.tells_more_than_it_had(update):
            session.may_have_seen(item.sent_version)
    if not item.journal:
        if not item.answer:
            session.may_have_seen(item.sent_version)
        return Frame(
            update=session.without_delivered(update), author=item.peer.principal,
            knowledge=session.knowledge, received_at=at, written_at=at, live=not item.answer,
        ), None  # fmt: skip
    found = attribute(
        item.journal, item.update, update, record_id=room.record_id,
        sender=await _sender(item.peer.principal, session, hands, clock),
        signers=await _signers(item, hands, clock), received_at=at, floors=room.books.written,
        refuses=room.profile.unsealed == "refuse",
    )  # fmt: skip
    # What was written before this connection knew what the tablet had then, and no more.
    is_backlog = not item.answer and (found.delivered or not has_answered)
    knowledge = session.knowledge
    if is_backlog and session.offline is not None:
        knowledge = session.offline
    elif not item.answer:
        session.may_have_seen(item.sent_version)
    return Frame(
        update=update if found.delivered else session.without_delivered(update),
        author=found.author, knowledge=knowledge, received_at=at, written_at=found.written_at,
        journal=found.journal, roles=found.roles, denied=found.denied,
        live=not item.answer and not is_backlog,
    ), found  # fmt: skip


async def _sender(
    principal: Principal, session: Session, hands: Hands, clock: Callable[[], datetime]
) -> Hand:
    known = await hands.find(principal.login_id, clock())
    if known is None:
        return Hand(principal=principal, skews=session.skews())
    return msgspec.structs.replace(
        known, principal=principal, skews=(*session.skews(), *known.skews)
    )


async def _signers(item: Arrived, hands: Hands, clock: Callable[[], datetime]) -> dict[str, Hand]:
    session, found = item.peer.session, {}
    for login_id in sorted(foreign_logins(item.journal, item.peer.principal.login_id)):
        if not session.may_look_up(login_id):
            continue
        hand = await hands.find(login_id, clock())
        if hand is None:
            session.note_unknown(login_id)
        else:
            found[login_id] = hand
    return found


def audit_journal(
    batch: Batch, item: Arrived, found: Attribution, version: int, *, refused: bool
) -> None:
    """Audit what the row alone does not say: who delivered it, and what time its device claimed."""
    sender, author = item.peer.principal, found.author
    told = []
    if found.delivered and author.login_id != sender.login_id:
        told.append(f"login={author.login_id}")
    if found.claimed is not None:
        told.append(f"claimed={found.claimed.isoformat(timespec='milliseconds')}")
    if not told and found.denied is None:
        return
    batch.audit.append(
        AuditEntry(
            at=item.received_at, action="deliver", outcome="denied" if refused else "success",
            user_id=sender.user_id, login_id=sender.login_id, device=sender.device,
            address=sender.address, record_id=batch.record_id, version=version,
            detail=" ".join(told),
        )
    )  # fmt: skip
