"""Signing in, expiry, throttling, and cutting the sockets of ended log-ins, by a stepped clock."""

import asyncio
import base64
import contextlib
from datetime import timedelta

import msgspec
import pytest

from server.accounts.authentication import token_hash_of
from server.accounts.credentials import session_cookie
from server.accounts.throttle import Throttle
from server.errors import NotSignedIn, Overloaded, TooManyAttempts
from server.settings import Settings
from storage import LoginNotFound
from tests.server.builders import FAST, PASSWORD, START, Bench, SteppedClock, open_bench


async def sign_in(bench: Bench, username: str = "nurse", password: str = PASSWORD) -> str:
    token, _, _ = await bench.house.authenticator.sign_in(username, password, "tablet", "10.0.0.1")
    return token


async def fail(bench: Bench, username: str = "nurse", address: str = "10.0.0.1") -> None:
    with pytest.raises(NotSignedIn):
        await bench.house.authenticator.sign_in(username, "wrong", "tablet", address)


async def principal(bench: Bench, token: str) -> object:
    return await bench.house.authenticator.principal_for_token(token, bench.clock())


async def test_a_token_is_recognised_and_only_its_hash_is_stored(bench: Bench) -> None:
    user = await bench.add_user("nurse")

    token = await sign_in(bench)

    who = await bench.house.authenticator.principal_for_token(token, bench.clock())
    (login,) = await bench.store.directory.logins(user.id)
    assert (who.user_id, who.roles, who.device) == (user.id, frozenset({"nurse"}), "tablet")
    assert len(token) >= 43
    assert login.token_hash == token_hash_of(token)
    assert token.encode() not in msgspec.json.encode(login)


@pytest.mark.parametrize("username", ["nurse", "nobody", "gone"])
async def test_every_failure_costs_one_hash_and_says_the_same(bench: Bench, username: str) -> None:
    await bench.add_user("nurse")
    await bench.add_user("gone", disabled=True)
    before = bench.house.authenticator.passwords.checks

    with pytest.raises(NotSignedIn, match=r"User name or password is wrong\."):
        await bench.house.authenticator.sign_in(username, "wrong", "tablet", "10.0.0.1")

    assert bench.house.authenticator.passwords.checks == before + 1


async def test_a_disabled_account_does_not_sign_in_with_the_right_password(bench: Bench) -> None:
    await bench.add_user("gone", disabled=True)

    with pytest.raises(NotSignedIn):
        await sign_in(bench, "gone")


async def test_attempts_are_audited_without_an_unknown_name(bench: Bench) -> None:
    user = await bench.add_user("nurse")
    await fail(bench)
    await fail(bench, "hunter2 typed as a name")
    await sign_in(bench)

    entries = await bench.audited("login")

    assert [(e.outcome, e.user_id, e.detail) for e in entries] == [
        ("failure", user.id, "password"),
        ("failure", "", "unknown user"),
        ("success", user.id, ""),
    ]
    assert b"hunter2" not in msgspec.json.encode(entries)
    assert entries[2].login_id


async def test_a_login_unused_for_twelve_hours_is_over(bench: Bench) -> None:
    await bench.add_user("nurse")
    token = await sign_in(bench)
    bench.clock.step(hours=11)
    await principal(bench, token)
    bench.clock.step(hours=11)
    await principal(bench, token)

    bench.clock.step(hours=12)

    with pytest.raises(NotSignedIn, match="expired"):
        await principal(bench, token)
    assert len(await bench.audited("login_expired")) == 1


async def test_a_login_is_over_after_thirty_days_of_use(bench: Bench) -> None:
    await bench.add_user("nurse")
    token = await sign_in(bench)
    for _ in range(60):
        await principal(bench, token)
        bench.clock.step(hours=11.9)
    await principal(bench, token)

    bench.clock.step(hours=8)

    with pytest.raises(NotSignedIn):
        await principal(bench, token)


async def test_the_last_use_is_stored_at_most_once_a_minute(bench: Bench) -> None:
    user = await bench.add_user("nurse")
    token = await sign_in(bench)

    for _ in range(59):
        bench.clock.step(seconds=1)
        await principal(bench, token)
    (login,) = await bench.store.directory.logins(user.id)
    assert login.last_used_at == START

    bench.clock.step(seconds=1)
    await principal(bench, token)
    (login,) = await bench.store.directory.logins(user.id)
    assert login.last_used_at == bench.clock()


async def test_five_failures_bring_a_delay_that_doubles_and_success_forgives(bench: Bench) -> None:
    await bench.add_user("nurse")
    for _ in range(5):
        await fail(bench)

    with pytest.raises(TooManyAttempts) as first:
        await sign_in(bench)
    bench.clock.step(seconds=10)
    await fail(bench)
    with pytest.raises(TooManyAttempts) as second:
        await sign_in(bench)
    bench.clock.step(seconds=20)
    await sign_in(bench)
    await fail(bench)

    assert (first.value.retry_after_s, second.value.retry_after_s) == (10, 20)
    assert [e.detail for e in await bench.audited("login") if e.outcome == "denied"] == [
        "throttled",
        "throttled",
    ]


async def test_an_address_is_throttled_over_many_names_and_a_name_over_many_addresses(
    bench: Bench,
) -> None:
    for number in range(5):
        await fail(bench, f"name{number}", "10.0.0.9")
        await fail(bench, "admin", f"10.0.1.{number}")

    for username, address in (("fresh", "10.0.0.9"), ("ADMIN", "10.0.2.1")):
        with pytest.raises(TooManyAttempts):
            await bench.house.authenticator.sign_in(username, "wrong", "tablet", address)


async def test_a_whole_clinic_behind_one_address_signs_in_at_once(bench: Bench) -> None:
    await bench.add_user("nurse")

    tokens = await asyncio.gather(*(sign_in(bench) for _ in range(20)))

    assert len(set(tokens)) == 20


async def test_after_the_delay_tries_at_the_same_time_are_let_through_one_by_one(
    bench: Bench,
) -> None:
    await bench.add_user("nurse")
    for _ in range(5):
        await fail(bench)
    bench.clock.step(seconds=10)

    tries = [sign_in(bench, password="wrong") for _ in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(result) for result in results].count(NotSignedIn) == 1
    assert [type(result) for result in results].count(TooManyAttempts) == 19


async def test_more_waiting_logins_than_the_queue_holds_are_told_to_come_back() -> None:
    tight = msgspec.structs.replace(FAST, hash_threads=1, hash_queue=2, login_failures=100)
    async with open_bench(tight) as bench:
        await bench.add_user("nurse")

        tries = [sign_in(bench) for _ in range(4)]
        results = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(isinstance(result, Overloaded) for result in results) == 2
    assert sum(isinstance(result, str) for result in results) == 2


def test_the_table_of_failures_is_bounded() -> None:
    throttle = Throttle(failures=5, delay_seconds=1, delay_max_seconds=60, entries=100)

    for number in range(1000):
        throttle.failed([f"name{number}"], START)

    assert len(throttle) == 100


def test_a_delay_has_a_longest_and_is_forgotten_in_the_end() -> None:
    clock = SteppedClock()
    throttle = Throttle(failures=1, delay_seconds=1, delay_max_seconds=60, entries=100)
    for _ in range(50):
        throttle.failed(["name"], clock())

    with pytest.raises(TooManyAttempts) as caught, throttle.trying(["name"], clock()):
        pass
    clock.step(seconds=121)
    with throttle.trying(["name"], clock()):
        pass

    assert caught.value.retry_after_s == 60
    assert len(throttle) == 0


async def test_logging_out_ends_the_token_and_cuts_its_sockets_at_once(bench: Bench) -> None:
    await bench.add_user("nurse")
    token = await sign_in(bench)
    who = await bench.house.authenticator.principal_for_token(token, bench.clock())

    await bench.house.authenticator.log_out(who)

    assert bench.rooms.disconnected == [(who.login_id, None, 4401)]
    with pytest.raises(NotSignedIn):
        await principal(bench, token)
    assert [e.detail for e in await bench.audited("logout")] == [f"login={who.login_id}"]


async def test_a_device_is_revoked_by_its_owner_or_an_admin_only(bench: Bench) -> None:
    nurse, admin = await bench.principal("nurse"), await bench.principal("admin")
    other = await bench.principal("cashier")

    with pytest.raises(LoginNotFound):
        await bench.house.authenticator.revoke(other, nurse.login_id)
    await bench.house.authenticator.revoke(admin, nurse.login_id)

    assert (nurse.login_id, None, 4401) in bench.rooms.disconnected


async def test_an_account_disabled_by_another_process_is_cut_off_at_the_next_look(
    bench: Bench,
) -> None:
    user = await bench.add_user("nurse")
    token = await sign_in(bench)
    await principal(bench, token)
    await bench.house.authenticator.look_for_changes()

    await bench.store.directory.update_user(
        msgspec.structs.replace(user, disabled=True), bench.clock()
    )
    bench.clock.step(seconds=1)
    await bench.house.authenticator.look_for_changes()

    assert bench.rooms.disconnected == [(None, user.id, 4401)]
    with pytest.raises(NotSignedIn):
        await principal(bench, token)


async def test_a_demoted_person_is_cut_off_and_comes_back_with_the_new_roles(bench: Bench) -> None:
    user = await bench.add_user("nurse")
    token = await sign_in(bench)
    await principal(bench, token)
    await bench.house.authenticator.look_for_changes()

    fewer = msgspec.structs.replace(user, roles=frozenset({"cashier"}))
    await bench.store.directory.update_user(fewer, bench.clock())
    bench.clock.step(seconds=1)
    await bench.house.authenticator.look_for_changes()

    assert bench.rooms.disconnected == [(None, user.id, 4403)]
    who = await bench.house.authenticator.principal_for_token(token, bench.clock())
    assert who.roles == {"cashier"}


async def test_a_login_revoked_by_another_process_loses_its_socket_at_the_next_look(
    bench: Bench,
) -> None:
    who = await bench.principal("nurse")

    with bench.house.authenticator.connected(who):
        await bench.store.directory.end_login(who.login_id, bench.clock(), "revoked")
        await bench.house.authenticator.look_for_changes()

    assert bench.rooms.disconnected == [(who.login_id, None, 4401)]


async def test_a_socket_of_an_expired_login_is_cut_and_one_in_use_is_not(bench: Bench) -> None:
    idle, busy = await bench.principal("nurse"), await bench.principal("cashier")
    authenticator = bench.house.authenticator

    with authenticator.connected(idle), authenticator.connected(busy):
        bench.clock.step(hours=11.5)
        authenticator.used(busy.login_id)
        bench.clock.step(hours=1)
        await authenticator.look_for_changes()

    assert bench.rooms.disconnected == [(idle.login_id, None, 4401)]


async def test_known_logins_are_bounded_and_those_with_sockets_stay() -> None:
    few = msgspec.structs.replace(FAST, login_cache_entries=2)
    async with open_bench(few) as bench:
        first = await bench.principal("nurse")
        with bench.house.authenticator.connected(first):
            for username in ("cashier", "pharmacist", "doctor"):
                await bench.principal(username)
            bench.clock.step(hours=12)
            await bench.house.authenticator.look_for_changes()

    assert (first.login_id, None, 4401) in bench.rooms.disconnected
    assert len(bench.rooms.disconnected) == 2


async def test_a_browser_signs_in_by_cookie_from_our_own_page_only(bench: Bench) -> None:
    await bench.add_user("nurse")
    answer = await bench.http.post(
        "/api/login", json={"username": "nurse", "password": PASSWORD},
        headers={"origin": "http://fieldchart.test"},
    )  # fmt: skip
    cookie = {"cookie": f"fieldchart_session={answer.json()['token']}"}

    read = await bench.http.get("/api/me", headers=cookie)
    foreign = await bench.http.post(
        "/api/logout", headers={**cookie, "origin": "http://evil.example"}
    )
    unnamed = await bench.http.post("/api/logout", headers=cookie)
    own = await bench.http.post(
        "/api/logout", headers={**cookie, "origin": "http://fieldchart.test"}
    )

    assert "HttpOnly" in answer.headers["set-cookie"]
    assert [each.status_code for each in (read, foreign, unnamed, own)] == [200, 403, 403, 204]
    assert "Max-Age=0" in own.headers["set-cookie"]


async def test_signing_in_from_a_foreign_page_is_refused(bench: Bench) -> None:
    await bench.add_user("nurse")

    answer = await bench.http.post(
        "/api/login", json={"username": "nurse", "password": PASSWORD},
        headers={"origin": "http://evil.example"},
    )  # fmt: skip

    assert answer.status_code == 403


async def test_no_log_line_and_no_metric_carries_a_name_or_a_token(bench: Bench) -> None:
    await bench.add_user("nurse_amina")
    token = await sign_in(bench, "nurse_amina")
    await fail(bench, "nurse_amina")
    who = await bench.house.authenticator.principal_for_token(token, bench.clock())
    await bench.house.authenticator.log_out(who)

    seen = bench.log.getvalue() + bench.house.metrics.render().decode()

    assert "nurse_amina" not in seen
    assert token not in seen


def test_the_cookie_lives_as_long_as_the_login() -> None:
    cookie = session_cookie("t" * 43, {"scheme": "http"}, Settings().login_max_seconds)

    assert "Max-Age=2592000" in cookie


async def test_of_many_people_everybodys_logins_are_read_again_in_turn(bench: Bench) -> None:
    people = [await bench.principal(f"nurse{number}") for number in range(20)]
    authenticator = bench.house.authenticator

    with contextlib.ExitStack() as sockets:
        for who in people:
            sockets.enter_context(authenticator.connected(who))
            await bench.store.directory.end_login(who.login_id, bench.clock(), "revoked")
        for _ in range(3):
            await authenticator.look_for_changes()

    assert {login_id for login_id, _, _ in bench.rooms.disconnected} == {
        who.login_id for who in people
    }


async def test_each_log_in_has_a_key_of_its_own_that_is_shown_once_and_logged_nowhere(
    bench: Bench,
) -> None:
    await bench.add_user("nurse")
    body = {"username": "nurse", "password": PASSWORD, "device": "tablet"}

    answers = []
    for _ in range(2):
        answers.append((await bench.http.post("/api/login", json=body)).json())
        bench.http.cookies.clear()
    headers = {"authorization": f"Bearer {answers[0]['token']}"}
    listed = await bench.http.get("/api/logins", headers=headers)
    me = await bench.http.get("/api/me", headers=headers)

    keys = [answer["seal_key"] for answer in answers]
    assert keys[0] != keys[1]
    assert [len(base64.b64decode(key)) for key in keys] == [32, 32]
    audited = msgspec.json.encode(await bench.store.audit()).decode()
    for key in keys:
        assert key not in listed.text + me.text + bench.log.getvalue() + audited


async def test_a_log_in_keeps_how_far_its_clock_is_off_and_lists_it(bench: Bench) -> None:
    await bench.add_user("nurse")
    body = {"username": "nurse", "password": PASSWORD}
    ahead = (bench.clock() + timedelta(days=2)).isoformat()

    answers = []
    for told in ({"device_time": ahead}, {"device_time": "2026-03-01T08:00:00"}, {}):
        answers.append(await bench.http.post("/api/login", json={**body, **told}))
        bench.http.cookies.clear()
    token = answers[0].json()["token"]
    signing = bench.house.authenticator
    who = await signing.principal_for_token(token, bench.clock())
    headers = {"authorization": f"Bearer {token}"}
    listed = (await bench.http.get("/api/logins", headers=headers)).json()["items"]
    signing.note_skew(who.login_id, timedelta(milliseconds=-1500))
    await signing.look_for_changes()
    later = (await bench.http.get("/api/logins", headers=headers)).json()["items"]

    assert [answer.status_code for answer in answers] == [200, 422, 200]
    assert {item["current"]: item["skew_ms"] for item in listed} == {True: 172_800_000, False: None}
    assert {item["current"]: item["skew_ms"] for item in later} == {True: -1500, False: None}


async def test_a_clock_that_stands_as_it_did_is_neither_stored_nor_attested_again(
    bench: Bench,
) -> None:
    await bench.add_user("nurse")
    who = await bench.principal("nurse")
    signing = bench.house.authenticator

    async def told(*skews_ms: int) -> int:
        before = len(await bench.audited("attest"))
        for skew_ms in skews_ms:
            signing.note_skew(who.login_id, timedelta(milliseconds=skew_ms))
            await signing.look_for_changes()
        return len(await bench.audited("attest")) - before

    assert await told(-1500) == 1
    assert await told(-1480, -1530, -1499, -700) == 0, "each connection says it a little otherwise"
    assert await told(-400) == 1, "compared with what is stored: a clock that drifts is not lost"
    assert (await bench.store.directory.login(who.login_id)).skew_ms == -400


@pytest.mark.parametrize(
    ("path", "ending"), [("own", "signed_out"), ("other", "revoked"), ("logout", "signed_out")]
)
async def test_signing_out_is_told_from_revoking(bench: Bench, path: str, ending: str) -> None:
    await bench.add_user("nurse")
    tokens = [await sign_in(bench), await sign_in(bench)]
    signing = bench.house.authenticator
    own, other = [await signing.principal_for_token(token, bench.clock()) for token in tokens]
    headers = {"authorization": f"Bearer {tokens[0]}"}

    if path == "logout":
        await bench.http.post("/api/logout", headers=headers)
    else:
        ended = own if path == "own" else other
        await bench.http.delete(f"/api/logins/{ended.login_id}", headers=headers)

    login = await bench.store.directory.login((other if path == "other" else own).login_id)
    assert login.ending == ending


async def test_an_expired_log_in_was_not_revoked(bench: Bench) -> None:
    await bench.add_user("nurse")
    token = await sign_in(bench)
    who = await bench.house.authenticator.principal_for_token(token, bench.clock())

    bench.clock.step(hours=13)
    await bench.house.authenticator.look_for_changes()

    assert (await bench.store.directory.login(who.login_id)).ending == "expired"


async def test_how_far_a_clock_is_off_is_kept_though_its_log_in_ends_at_once(bench: Bench) -> None:
    await bench.add_user("nurse")
    signing = bench.house.authenticator
    who = await signing.principal_for_token(await sign_in(bench), bench.clock())

    signing.note_skew(who.login_id, timedelta(days=2))
    await signing.log_out(who)

    login = await bench.store.directory.login(who.login_id)
    assert (login.skew_ms, login.ending) == (172_800_000, "signed_out")
