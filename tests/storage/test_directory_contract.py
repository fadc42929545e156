"""What every store promises about accounts, log-ins and the audit trail."""

from datetime import timedelta

import msgspec
import pytest

from permissions.model import RoleChange
from storage import LoginNotFound, UserExists, UserNotFound
from tests.storage.builders import NOW, created, entry, facts, login, user


async def test_a_user_is_found_by_id_and_by_name_without_case(store):
    await store.directory.add_user(user())

    assert await store.directory.user("u1") == user()
    assert await store.directory.user_by_username("nurse.ONE") == user()


async def test_user_names_differing_in_case_are_the_same_name(store):
    await store.directory.add_user(user("u1", "Straße"))

    with pytest.raises(UserExists):
        await store.directory.add_user(user("u2", "STRASSE"))
    with pytest.raises(UserExists):
        await store.directory.add_user(user("u1", "other"))

    assert [each.id for each in await store.directory.users()] == ["u1"]


async def test_updating_a_user_keeps_its_name_and_age(store):
    await store.directory.add_user(user())
    changed = msgspec.structs.replace(
        user(),
        username="ignored",
        created_at=NOW + timedelta(days=1),
        name="Other Example",
        roles=frozenset({"doctor", "admin"}),
        password_hash="$argon2id$other",
        disabled=True,
    )

    await store.directory.update_user(changed, NOW + timedelta(days=1))

    assert await store.directory.user("u1") == msgspec.structs.replace(
        changed, username="Nurse.One", created_at=NOW
    )


async def test_unknown_users_and_logins_are_not_found(store):
    for call in (
        store.directory.user("u9"),
        store.directory.user_by_username("nobody"),
        store.directory.update_user(user("u9"), NOW),
        store.directory.add_login(login(user_id="u9")),
    ):
        with pytest.raises(UserNotFound):
            await call
    for call in (
        store.directory.login_by_token_hash(bytes(32)),
        store.directory.touch_login("l9", NOW),
        store.directory.login("l9"),
        store.directory.note_skew("l9", 1, NOW),
        store.directory.end_login("l9", NOW, "expired"),
    ):
        with pytest.raises(LoginNotFound):
            await call


async def test_a_login_is_found_by_its_token_hash_and_listed_with_its_user(store):
    await store.directory.add_user(user())
    await store.directory.add_login(login("l1"))
    await store.directory.add_login(login("l2"))

    assert await store.directory.login_by_token_hash(login("l2").token_hash) == login("l2")
    assert list(await store.directory.logins("u1")) == [login("l1"), login("l2")]


@pytest.mark.parametrize(
    ("endings", "stands"),
    [
        (("signed_out", "expired"), "signed_out"),
        (("expired", "revoked"), "revoked"),
        (("revoked", "signed_out"), "revoked"),
    ],
)
async def test_a_log_in_ends_once_but_distrust_replaces_any_other_ending(store, endings, stands):
    await store.directory.add_user(user())
    await store.directory.add_login(login())
    later = NOW + timedelta(minutes=5)

    await store.directory.touch_login("l1", later)
    for minute, how in enumerate(endings):
        await store.directory.end_login("l1", NOW + timedelta(minutes=minute), how)

    found = await store.directory.login("l1")
    assert (found.last_used_at, found.ended_at, found.ending) == (later, NOW, stands)


async def test_a_log_in_keeps_its_key_for_seals_and_how_far_its_clock_is_off(store):
    sealing = msgspec.structs.replace(login(), seal_key=bytes(range(32)))
    await store.directory.add_user(user())
    await store.directory.add_login(sealing)
    await store.directory.note_skew("l1", -10_800_000, NOW)

    assert await store.directory.login("l1") == msgspec.structs.replace(
        sealing, skew_ms=-10_800_000
    )


async def test_which_roles_somebody_had_when_stays_known(store):
    await store.directory.add_user(user(roles=("nurse",)))
    renamed = msgspec.structs.replace(user(), name="Renamed")
    promoted = msgspec.structs.replace(renamed, roles=frozenset({"doctor", "nurse"}))

    await store.directory.update_user(renamed, NOW + timedelta(hours=1))
    await store.directory.update_user(promoted, NOW + timedelta(hours=2))

    assert list(await store.directory.role_changes("u1")) == [
        RoleChange(NOW, frozenset({"nurse"})),
        RoleChange(NOW + timedelta(hours=2), frozenset({"doctor", "nurse"})),
    ]
    assert list(await store.directory.role_changes("u9")) == []


async def test_the_audit_trail_is_filtered_and_paged_by_sequence(store):
    await created(store)
    await store.append_audit([entry("R1", action="read", at=NOW - timedelta(days=1))])
    await store.append_audit([entry("", action="login", user_id="u2"), entry("", action="read")])
    await store.append_audit([])

    async def seqs(**wanted):
        return [seq for seq, _ in await store.audit(**wanted)]

    assert await seqs() == [1, 2, 3, 4]
    assert await seqs(after=1, limit=2) == [2, 3]
    assert await seqs(record_id="R1") == [1, 2]
    assert await seqs(record_id="") == [3, 4]
    assert await seqs(user_id="u2") == [3]
    assert await seqs(action="read") == [2, 4]
    assert await seqs(since=NOW) == [1, 3, 4]
    assert (await store.audit(action="login"))[0][1] == entry("", action="login", user_id="u2")


async def test_the_audit_trail_is_filtered_by_outcome_time_and_profile_and_read_backwards(store):
    await created(store, "R1")
    await created(store, "R2", facts=facts(profile="other"))
    await store.append_audit([msgspec.structs.replace(entry("R2"), outcome="denied")])
    await store.append_audit([entry("", at=NOW + timedelta(hours=1))])

    async def seqs(**wanted):
        return [seq for seq, _ in await store.audit(**wanted)]

    assert await seqs(outcome="denied") == [3]
    assert await seqs(until=NOW) == []
    assert await seqs(since=NOW, until=NOW + timedelta(hours=1)) == [1, 2, 3]
    assert await seqs(profiles=frozenset({"other"})) == [2, 3]
    assert await seqs(profiles=frozenset({"example", "other"})) == [1, 2, 3]
    assert await seqs(profiles=frozenset()) == []
    assert await seqs(newest_first=True, limit=2) == [4, 3]
    assert await seqs(newest_first=True, after=3) == [2, 1]


async def test_the_head_of_the_trail_is_its_newest_entry(store):
    assert await store.audit_head() == (0, bytes(32))

    await store.append_audit([entry(), entry()])
    seq, digest = await store.audit_head()

    assert seq == 2
    assert await store.verify_audit({2: digest}) is None
    assert (await store.verify_audit({1: digest})).position == 1
    assert (await store.verify_audit({3: digest})).position == 3


@pytest.mark.rule("AUDIT-7")
async def test_each_change_of_an_account_or_log_in_but_its_use_is_attested_and_not_listed(store):
    await store.directory.add_user(user("u1"))
    await store.directory.add_login(login("l1"))
    before = await store.audit_head()
    with pytest.raises(UserNotFound):
        await store.directory.update_user(user("u9"), NOW)
    with pytest.raises(LoginNotFound):
        await store.directory.touch_login("l9", NOW)
    assert await store.audit_head() == before

    demoted = msgspec.structs.replace(user("u1"), roles=frozenset({"doctor"}))
    await store.directory.update_user(demoted, NOW)
    for change in (
        store.directory.touch_login("l1", NOW + timedelta(hours=1)),
        store.directory.note_skew("l1", 7, NOW),
        store.directory.end_login("l1", NOW, "expired"),
    ):
        await change

    attested = [entry for _, entry in await store.audit(action="attest")]
    named = [entry.detail.split()[:2] for entry in attested]
    digests = [entry.detail.split(maxsplit=2)[2] for entry in attested]
    accounts = [["users", "u1"], ["role_changes", "1"]]
    assert named == [
        *accounts, ["logins", "l1"], ["users", "u1"], ["role_changes", "2"], *[["logins", "l1"]] * 2
    ]  # fmt: skip
    assert len(set(digests)) == len(digests)
    assert {entry.user_id for entry in attested} == {""}
    assert await store.audit() == []
    assert [entry for _, entry in await store.audit(attests=True)] == attested
    seq, head = await store.audit_head()
    assert (await store.audit_hashes([seq]))[seq] == head
