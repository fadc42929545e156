"""What people are told of conflicts: everybody on the record, and each loser for certain."""

from datetime import datetime

from server.executor import Batch

__all__ = ["tell_of_conflicts"]


def tell_of_conflicts(batch: Batch, at: datetime) -> None:
    """Let everybody on the record know of the batch's conflicts, and each loser for certain.

    A loser may have left long ago, or have just come back with the value that lost.
    """
    for conflict in {conflict.id: conflict for conflict in batch.conflicts}.values():
        batch.notice("conflict", conflict=conflict.id, field=conflict.field, status=conflict.status)
    for loss in dict.fromkeys(batch.losses):
        payload = {"conflict": loss.conflict, "field": loss.field, "critical": loss.critical}
        batch.announce("conflict", at, users=(loss.user_id,), payload=payload)
