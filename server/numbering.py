"""The human number of a new record: the next one, or one that was handed to who makes it."""

from permissions.model import Principal, Rule
from permissions.policy import Policy
from server.problems import invalid
from storage.ports import Records

__all__ = ["number_for"]


async def number_for(
    records: Records, policy: Policy, author: Principal, wanted: str | None
) -> str:
    """The number. That it is used once the store sees to. Raises InvalidRequest (`number`)."""
    prefix = policy.profile.number_prefix
    if wanted is None:
        return await records.next_number(prefix)
    is_theirs = await records.number_owner(wanted) == author.user_id
    if not is_theirs or not wanted.startswith(f"{prefix}-"):
        raise invalid("number", Rule.IDENTITY, "This number was not handed to you.")
    return wanted
