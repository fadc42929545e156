"""Accounts over HTTP: made, changed and closed by administrators, and audited without a name."""

import pytest

from tests.server.builders import PASSWORD, Bench

NEW = {"username": "newnurse", "password": "a long password", "roles": ["nurse"], "name": "N. N."}


async def made(bench: Bench) -> str:
    admin = await bench.bearer("admin")
    answer = await bench.http.post("/api/users", json=NEW, headers=admin)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def sign_in(bench: Bench, password: str) -> int:
    body = {"username": NEW["username"], "password": password}
    bench.http.cookies.clear()  # a cookie of before would ask for its Origin
    return (await bench.http.post("/api/login", json=body)).status_code


async def change(bench: Bench, user_id: str, **body: object) -> int:
    admin = await bench.bearer("admin")
    answer = await bench.http.patch(f"/api/users/{user_id}", json=body, headers=admin)
    return answer.status_code


async def test_a_new_account_signs_in_and_is_listed_with_the_roles_there_are(bench: Bench) -> None:
    user_id = await made(bench)

    admin = await bench.bearer("admin")
    listing = (await bench.http.get("/api/users", headers=admin)).json()

    assert await sign_in(bench, "a long password") == 200
    (account,) = [one for one in listing["items"] if one["id"] == user_id]
    assert (account["name"], account["roles"], account["disabled"]) == ("N. N.", ["nurse"], False)
    assert "password" not in str(account)
    assert {"admin", "nurse", "doctor"} <= set(listing["roles"])


async def test_a_taken_name_is_a_conflict_whatever_its_case(bench: Bench) -> None:
    await made(bench)
    admin = await bench.bearer("admin")

    answer = await bench.http.post(
        "/api/users", json={**NEW, "username": "NewNurse"}, headers=admin
    )

    assert answer.status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "short"}, {"roles": []}, {"roles": ["captain"]}, {"username": "with space"},
        {"username": ""}, {"name": "a\nb"}, {"id": "mine"},
    ],
)  # fmt: skip
async def test_what_is_no_account_is_refused(bench: Bench, wrong: dict[str, object]) -> None:
    admin = await bench.bearer("admin")

    answer = await bench.http.post("/api/users", json={**NEW, **wrong}, headers=admin)

    assert answer.status_code == 422


async def test_a_new_password_and_closing_end_every_device_of_the_account(bench: Bench) -> None:
    user_id = await made(bench)
    assert await sign_in(bench, "a long password") == 200

    assert await change(bench, user_id, password="another password") == 200

    (login,) = await bench.store.directory.logins(user_id)
    assert login.ending == "revoked"
    assert await sign_in(bench, "a long password") == 401
    bench.clock.step(minutes=5)
    assert await sign_in(bench, "another password") == 200
    assert await change(bench, user_id, disabled=True) == 200
    assert {one.ending for one in await bench.store.directory.logins(user_id)} == {"revoked"}
    assert await sign_in(bench, "another password") == 401
    bench.clock.step(minutes=5)
    assert await change(bench, user_id, disabled=False) == 200
    assert await sign_in(bench, "another password") == 200


async def test_nobody_closes_or_demotes_themselves(bench: Bench) -> None:
    me = (await bench.principal("admin")).user_id

    assert await change(bench, me, disabled=True) == 422
    assert await change(bench, me, roles=["nurse"]) == 422
    assert await change(bench, me, roles=["admin", "nurse"]) == 200
    assert await change(bench, me, password=PASSWORD + "!") == 200
    assert await change(bench, me, name="Still signed in") == 200


async def test_changes_are_audited_by_id_and_never_by_name_or_password(bench: Bench) -> None:
    user_id = await made(bench)
    await change(bench, user_id, roles=["cashier"], password="another password", disabled=True)

    entries = [entry for _, entry in await bench.store.audit()]

    told = {entry.action: entry.detail for entry in entries}
    assert told["user_added"] == f"user={user_id} roles=nurse"
    assert told["roles_changed"] == f"user={user_id} roles=cashier"
    assert told["password_changed"] == f"user={user_id}"
    assert told["user_disabled"] == f"user={user_id} closed=yes"
    assert "N. N." not in str(entries)
    assert "long password" not in str(entries)
