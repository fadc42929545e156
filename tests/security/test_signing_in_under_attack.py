"""Strangers who guess, and people whose roles change in the middle of opening a record."""

import msgspec
import pytest

from server.errors import NotAllowed, NotSignedIn, TooManyAttempts
from tests.server.builders import PASSWORD, Bench


@pytest.mark.parametrize("other", ["NURSE", "ｎｕｒｓｅ", "Nurſe", "ⓝⓤⓡⓢⓔ"])
async def test_a_name_in_other_letters_is_the_same_name_to_the_throttle(
    bench: Bench, other: str
) -> None:
    """The directory folds compatibility forms, so each spelling gave five more guesses."""
    signing = bench.house.authenticator
    await bench.add_user("nurse")
    for attempt in range(5):
        with pytest.raises(NotSignedIn):
            await signing.sign_in("nurse", "wrong", "tablet", f"192.0.2.{attempt}")

    with pytest.raises(TooManyAttempts):
        await signing.sign_in(other, PASSWORD, "tablet", "192.0.2.99")


async def test_roles_that_change_while_a_record_is_opened_count_for_that_socket(
    bench: Bench,
) -> None:
    """The cut came before the socket had joined, and another call made the log-in known again."""
    await bench.add_user("nurse")
    signing, directory = bench.house.authenticator, bench.store.directory
    token, login, user = await signing.sign_in("nurse", PASSWORD, "tablet", "192.0.2.1")
    before = await signing.principal_for_token(token, bench.clock())

    await directory.update_user(
        msgspec.structs.replace(user, roles=frozenset({"cashier"})), bench.clock()
    )
    await signing.look_for_changes()
    after = await signing.principal_for_token(token, bench.clock())

    assert after.roles == {"cashier"}
    with pytest.raises(NotAllowed), signing.connected(before):
        pass
    with signing.connected(after):
        pass
    assert login.id == before.login_id
