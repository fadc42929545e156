"""Asking those who may write a field to apply what was refused of it, over HTTP in real rooms."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.asking import MOST_A_MINUTE, MOST_ON_A_RECORD
from tests.server.builders import open_bench
from tests.server.visits import Visit, open_visit


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with open_bench(real=True) as bench:
        yield await open_visit(bench)


async def refused(visit: Visit, value: int = 71) -> dict[str, Any]:
    """What a cashier wrote into a vital sign."""
    await visit.edit_live("cashier", ("vitals", "pulse", value))
    refusal: dict[str, Any] = (await visit.refusals())[-1]
    return refusal


async def ask(visit: Visit, who: str, refusal: dict[str, Any], role: Any = "nurse") -> Any:
    return await visit.ask(who, "POST", f"/refusals/{refusal['id']}/ask", {"role": role})


@pytest.mark.rule("APPLY-7")
async def test_a_refusal_is_seen_by_its_author_by_who_writes_the_field_and_by_nobody_else(
    visit: Visit,
) -> None:
    refusal = await refused(visit)
    path = f"/refusals/{refusal['id']}"

    shown = {
        who: [one["id"] for one in await visit.refusals("", who)]
        for who in ("cashier", "nurse", "supervisor", "receptionist")
    }
    read = {who: (await visit.ask(who, "GET", path)).status_code for who in shown}

    seen = [refusal["id"]]
    assert shown == {"cashier": seen, "nurse": seen, "supervisor": seen, "receptionist": []}
    assert read == {"cashier": 200, "nurse": 200, "supervisor": 200, "receptionist": 404}


@pytest.mark.rule("APPLY-8")
async def test_a_role_that_is_asked_hears_once_of_the_field_and_of_no_value(visit: Visit) -> None:
    refusal = await refused(visit)

    answers = [await ask(visit, who, refusal) for who in ("cashier", "cashier", "supervisor")]

    assert [answer.json() for answer in answers] == [
        {"id": refusal["id"], "role": "nurse", "told": 1}
    ] * 3
    (told,) = visit.announced("refusal_asked")
    cashier = await visit.bench.principal("cashier")
    assert (told.roles, told.users) == (("nurse",), ())
    assert told.payload["by"] == {
        "id": cashier.user_id, "username": "cashier", "name": cashier.name, "role": "cashier",
    }  # fmt: skip
    named = {key: told.payload[key] for key in ("refusal", "field", "role")}
    assert named == {"refusal": refusal["id"], "field": "vitals.pulse", "role": "nurse"}
    detail = f"refusal={refusal['id']} role=nurse"
    assert [entry[2] for entry in await visit.audited("ask")] == [detail]


@pytest.mark.rule("APPLY-8")
async def test_who_is_asked_applies_it_and_nobody_is_asked_of_what_is_decided(
    visit: Visit,
) -> None:
    refusal = await refused(visit)
    await ask(visit, "cashier", refusal)

    applied = await visit.ask("nurse", "POST", f"/refusals/{refusal['id']}/apply")
    late = await ask(visit, "cashier", refusal)

    assert (applied.status_code, applied.json()["status"]) == (200, "applied")
    assert late.status_code == 409
    assert (await visit.record())["fields"]["vitals"]["pulse"] == 71


@pytest.mark.rule("APPLY-8")
@pytest.mark.parametrize("role", ["cashier", "nobody", "", 1])
async def test_a_role_that_does_not_write_the_field_is_not_asked(visit: Visit, role: Any) -> None:
    refusal = await refused(visit)

    answer = await ask(visit, "cashier", refusal, role)

    assert answer.status_code == 422
    assert visit.announced("refusal_asked") == []


async def test_who_does_not_see_a_refusal_asks_nobody(visit: Visit) -> None:
    refusal = await refused(visit)

    answer = await ask(visit, "receptionist", refusal)

    assert answer.status_code == 404
    assert visit.announced("refusal_asked") == []


@pytest.mark.rule("APPLY-8")
async def test_past_its_bound_a_person_asks_nobody_for_a_while(visit: Visit) -> None:
    refusals = [await refused(visit, 60 + at) for at in range(MOST_A_MINUTE + 1)]

    answers = [await ask(visit, "cashier", refusal) for refusal in refusals]

    assert [one.status_code for one in answers] == [200] * MOST_A_MINUTE + [429]
    assert answers[-1].headers["retry-after"] == "60"
    assert len(visit.announced("refusal_asked")) == MOST_A_MINUTE
    by_another = await ask(visit, "supervisor", refusals[-1])
    assert by_another.status_code == 200


@pytest.mark.rule("APPLY-8")
async def test_questions_that_failed_do_not_hide_those_that_were_asked(visit: Visit) -> None:
    refusal = await refused(visit)
    for _ in range(MOST_ON_A_RECORD):
        await ask(visit, "cashier", refusal, "nobody")

    answers = [await ask(visit, "cashier", refusal) for _ in range(3)]

    assert [one.status_code for one in answers] == [200] * 3
    assert len(visit.announced("refusal_asked")) == 1, "once, however often it is asked"
