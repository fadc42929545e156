"""The queue board: order, pages, waiting times, counts, and that nothing costs nothing."""

from typing import Any

import pytest

from tests.support.house import Household, living

ARRIVALS = (
    ("routine", 0), ("emergency", 10), (None, 10), ("routine", 5), ("emergency", 5),
)  # fmt: skip
"""Category and the minute in which somebody arrived."""


async def arrivals(house: Household) -> list[str]:
    """Records in one queue, by the order in which they are to be seen."""
    made = []
    for n, (category, minutes) in enumerate(ARRIVALS):
        before = house.now
        house.step(minutes=minutes)
        record_id = await house.record(**{"demographics.family_name": f"Example {n}"})
        if category is not None:
            await patch(house, "nurse", record_id, {"triage.category": category})
        made.append(record_id)
        house.now = before
    return [made[index] for index in (4, 1, 0, 3, 2)]


async def patch(house: Household, username: str, record_id: str, fields: dict[str, Any]) -> None:
    etag = (await house.ask(username, "GET", f"/api/records/{record_id}")).headers["etag"]
    answer = await house.ask(username, "PATCH", f"/api/records/{record_id}", fields, if_match=etag)
    assert answer.status_code == 200, answer.text


async def board(house: Household, query: str = "", username: str = "nurse") -> dict[str, Any]:
    answer = await house.ask(username, "GET", f"/api/records{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_queue_has_the_most_urgent_first_and_then_who_waits_longest():
    async with living() as house:
        wanted = await arrivals(house)

        rows = (await board(house, "?profile=outpatient&step=registration"))["items"]

    assert [row["id"] for row in rows] == wanted
    assert [(row["priority"], row["urgency"]) for row in rows] == [
        ("emergency", 0), ("emergency", 0), ("routine", 3), ("routine", 3), (None, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("limit", [1, 2, 4])
async def test_the_pages_of_a_queue_hold_everybody_once(limit):
    async with living() as house:
        wanted = await arrivals(house)
        path = f"?profile=outpatient&step=registration&limit={limit}"
        seen, cursor = [], ""
        while True:
            page = await board(house, path + cursor)
            seen += [row["id"] for row in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"

    assert seen == wanted


async def test_a_cursor_of_another_order_is_refused():
    async with living() as house:
        await arrivals(house)
        newest = (await board(house, "?limit=1"))["next"]
        queued = (await board(house, "?step=registration&limit=1"))["next"]

        answers = [
            await house.ask("nurse", "GET", f"/api/records?step=registration&cursor={newest}"),
            await house.ask("nurse", "GET", f"/api/records?cursor={queued}x"),
        ]

    assert [answer.status_code for answer in answers] == [422, 422]


async def test_a_row_says_how_long_it_waits_and_who_is_responsible():
    async with living() as house:
        record_id = await house.record()
        house.step(minutes=21)
        waiting = (await board(house))["items"][0]
        house.step(minutes=20)
        longer = (await board(house))["items"][0]
        answer = await house.ask(
            "receptionist", "PUT", f"/api/sessions/{record_id}/steps/registration",
            {"status": "started"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        started = (await board(house))["items"][0]

    assert (waiting["waiting_seconds"], longer["waiting_seconds"]) == (21 * 60, 41 * 60)
    assert waiting["waiting_since"] == "2026-03-01T08:00:00.000Z"
    levels = [row["level"] for row in (waiting, longer, started)]
    assert levels[2] == ""
    assert levels[1] == "red"
    assert (started["step_status"], waiting["staff"]) == ("in_progress", [])
    (person,) = started["staff"]
    assert (person["username"], started["assigned"]) == ("receptionist", [person["id"]])


async def test_the_counts_are_those_of_the_queues():
    async with living() as house:
        await arrivals(house)
        house.step(minutes=90)
        counts = (await house.ask("nurse", "GET", "/api/board?profile=outpatient")).json()
        refused = await house.ask("doctor", "GET", "/api/board?profile=outpatient")
        unknown = await house.ask("nurse", "GET", "/api/board?profile=nothing")

    by_step = {step["step"]: step for step in counts["steps"]}
    first = by_step["registration"]
    assert (first["waiting"], first["in_progress"], first["level"]) == (5, 0, "red")
    assert first["oldest_waiting"] == "2026-03-01T08:00:00.000Z"
    assert (by_step["triage"]["waiting"], by_step["triage"]["oldest_waiting"]) == (0, None)
    assert {role["role"]: role["waiting"] for role in counts["roles"]}["receptionist"] == 5
    assert [refused.status_code, unknown.status_code] == [403, 422]


@pytest.mark.parametrize("path", ["/api/records", "/api/board?profile=outpatient"])
async def test_while_nothing_changes_the_board_is_not_even_read(path):
    async with living() as house:
        record_id = await house.record()
        first = await house.ask("nurse", "GET", path)
        tag = first.headers["etag"]
        reads = []
        records = house.store.records
        for name in ("list", "step_counts"):
            setattr(records, name, lambda *_: reads.append(1))  # whoever reads would fail as well

        same = await house.ask("nurse", "GET", path, if_none_match=tag)
        for name in ("list", "step_counts"):
            delattr(records, name)
        other = await house.ask("cashier", "GET", path, if_none_match=tag)
        await patch(house, "receptionist", record_id, {"demographics.family_name": "Changed"})
        changed = await house.ask("nurse", "GET", path, if_none_match=tag)

    assert (same.status_code, same.content, reads) == (304, b"", [])
    assert same.headers["etag"] == tag
    assert other.status_code == 200
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
