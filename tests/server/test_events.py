"""Events from what happens to who hears it: stored first, each once, in order, and no values."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permissions.model import Principal
from permissions.policy import Policy
from permissions.profile import parse_profile, shipped_profiles
from server.errors import TooManyStreams
from server.events import Subscription
from storage import MemoryStore, StoreUnavailable
from sync.effects import Announcement
from sync.messages import Notice
from tests.support.house import Household, living
from tests.support.live_server import LiveServer
from tests.support.rooms import RecordingPeer, settled

VITALS = {"vitals.systolic": 187, "vitals.pulse": 71}
SECRETS = ("Zebediah", "187.5", "Quokkaitis", "Xylofenol", "whisper")
"""Values planted in a record; nothing that is told may contain one."""


class Event(msgspec.Struct):
    """One parsed frame of a stream."""

    id: int | None
    event: str
    data: dict[str, Any]


def parsed(frame: bytes) -> Event | None:
    lines = dict(
        line.split(": ", 1)
        for line in frame.decode().splitlines()
        if ": " in line and line[0] != ":"
    )
    if "data" not in lines:
        return None
    sequence = int(lines["id"]) if "id" in lines else None
    return Event(sequence, lines["event"], msgspec.json.decode(lines["data"]))


class Ear:
    """Reads one subscription to its end in a task of its own."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for frame in self.subscription.frames():
            event = parsed(frame)
            if event is not None:
                self.events.append(event)
                self._news.set()

    async def ready(self) -> "Ear":
        await self.hears("ready")
        return self

    async def hears(self, name: str, count: int = 1) -> list[Event]:
        """Wait until it has heard so many events of this name."""
        async with asyncio.timeout(20):
            while len(self.of(name)) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(name)

    def of(self, name: str) -> list[Event]:
        return [event for event in self.events if event.event == name]

    def sequences(self) -> list[int]:
        return [e.id for e in self.events if e.id is not None and e.event != "ready"]

    async def stop(self) -> None:
        self.subscription.end("left")
        await self._task


async def principal(house: Household, name: str, *roles: str) -> Principal:
    await house.user(name, *roles)
    return await house.house.authenticator.principal_for_token(await house.token(name), house.now)


@asynccontextmanager
async def listening(
    house: Household, name: str, *roles: str, after: int | None = None
) -> AsyncIterator[Ear]:
    who = await principal(house, name, *roles)
    ear = Ear(house.house.events.subscribe(who, (), after))
    yield await ear.ready()
    await ear.stop()


async def patch(house: Household, username: str, record_id: str, fields: dict[str, Any]) -> None:
    etag = (await house.ask(username, "GET", f"/api/records/{record_id}")).headers["etag"]
    answer = await house.ask(username, "PATCH", f"/api/records/{record_id}", fields, if_match=etag)
    assert answer.status_code == 200, answer.text


def announcement(n: int, **parts: Any) -> Announcement:
    from tests.storage.builders import NOW

    made = Announcement(
        id=f"{n:026d}", at=NOW, event="patient_registered", record_id="R1", version=n,
        profile="outpatient", roles=("nurse",),
    )  # fmt: skip
    return msgspec.structs.replace(made, **parts)


# -- who hears what --------------------------------------------------------------------------------


@pytest.mark.rule("TELL-6")
async def test_a_changed_vital_sign_reaches_the_clinical_officers_and_nobody_else():
    async with (
        living() as house,
        listening(house, "officer", "clinical_officer") as officer,
        listening(house, "cashier") as cashier,
        listening(house, "doctor") as stranger,
    ):
        record_id = await house.record()

        await patch(house, "nurse", record_id, VITALS)

        (told,) = await officer.hears("vital_signs_updated")
        assert told.data["record"] == record_id
        assert told.data["fields"] == ["vitals.systolic", "vitals.pulse"]
        assert told.data["updated_by"]["username"] == "nurse"
        assert cashier.of("vital_signs_updated") == []
        assert [event.event for event in stranger.events] == ["ready"]


async def test_an_event_waits_for_who_is_away_until_each_has_acknowledged_it():
    async with living() as house:
        record_id = await house.record()
        await house.user("officer2", "clinical_officer")
        await patch(house, "nurse", record_id, VITALS)

        page = (await house.ask("clinical_officer", "GET", "/api/notifications")).json()
        (waiting,) = page["items"]
        acked = [
            await house.ask("clinical_officer", "POST", f"/api/notifications/{waiting['id']}/ack")
            for _ in range(2)
        ]
        foreign = await house.ask("cashier", "POST", f"/api/notifications/{waiting['id']}/ack")
        after = (await house.ask("clinical_officer", "GET", "/api/notifications")).json()
        kept = (await house.ask("clinical_officer", "GET", "/api/notifications?status=all")).json()
        other = (await house.ask("officer2", "GET", "/api/notifications")).json()

    assert (page["unread"], waiting["event"]) == (1, "vital_signs_updated")
    assert [answer.status_code for answer in acked] == [204, 204]
    assert foreign.status_code == 404
    assert (after["items"], after["unread"]) == ([], 0)
    assert kept["items"][0]["acknowledged_at"] is not None
    assert other["unread"] == 1


@pytest.mark.rule("TELL-8")
async def test_notifications_are_paged_newest_first():
    async with living() as house:
        await house.house.events.announce([announcement(n) for n in range(1, 8)])
        seen, path = [], "/api/notifications?limit=3"
        while True:
            page = (await house.ask("nurse", "GET", path)).json()
            seen += [item["version"] for item in page["items"]]
            if page["next"] is None:
                break
            path = f"/api/notifications?limit=3&cursor={page['next']}"

    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.rule("TELL-6")
async def test_a_field_that_somebody_may_not_read_is_not_named_to_them():
    path = shipped_profiles()["eye_screening"]
    text = path.read_text().replace(
        "[sections.findings]\n", '[sections.findings]\nreaders = ["doctor"]\n'
    )
    policy = Policy(parse_profile(text, path.name))
    async with (
        living(policies={"eye_screening": policy}) as house,
        listening(house, "doctor") as doctor,
    ):
        record_id = await house.record("eye_screening")
        who = await principal(house, "vision_technician")
        ear = await Ear(house.house.events.subscribe(who, (record_id,), None)).ready()
        watching = await Ear(
            house.house.events.subscribe(await principal(house, "doctor"), (record_id,), None)
        ).ready()

        await patch(house, "doctor", record_id, {"findings.lids": "normal"})
        await patch(house, "vision_technician", record_id, {"visual_acuity.distance": 6})
        await watching.hears("hospital_mobile_session_update", 2)

        heard = [event.data for event in ear.events if event.event != "ready"]
        updates = watching.of("hospital_mobile_session_update")
        named = [event.data["updated_data"] for event in updates]
        await ear.stop()
        await watching.stop()
        assert doctor.of("hospital_mobile_session_update") == []

    assert named == [["findings.lids"], ["visual_acuity.distance"]]
    assert "findings" not in msgspec.json.encode(heard).decode()
    assert "visual_acuity.distance" in msgspec.json.encode(heard).decode()


async def test_people_on_the_record_get_session_events_as_notices_and_on_their_streams():
    async with living(session_event_ms=0) as house, listening(house, "doctor") as stream:
        record_id = await house.record("eye_screening")
        doctor = RecordingPeer(await principal(house, "doctor"), extension=True)
        async with house.rooms.opened(record_id) as room:
            await doctor.sync(room)
            await settled()
            await house.rooms.expiry.round(house.now)
            await stream.hears("session_user_joined")
            await patch(house, "vision_technician", record_id, {"visual_acuity.distance": 6})
            await stream.hears("hospital_mobile_session_update")
            await stream.hears("session_activity_logged", 2)
            await settled()
            notices = [message.body for message in doctor.messages() if isinstance(message, Notice)]
            room.leave(doctor)

    update = next(one for one in notices if one["event"] == "hospital_mobile_session_update")
    assert update["session_id"] == record_id
    assert update["updated_data"] == ["visual_acuity.distance"]
    assert update["update_type"] == "visual_acuity"
    assert update["updated_by"]["username"] == "vision_technician"
    assert {event.data["id"] for event in stream.events if event.id and event.event != "ready"} >= {
        notice["id"] for notice in notices if notice["event"] != "session_user_joined"
    }


# -- stored first, each once, in order -------------------------------------------------------------


@pytest.mark.rule("TELL-1")
async def test_nobody_is_told_of_what_storage_refused():
    async with (
        living() as house,
        listening(house, "officer", "clinical_officer") as officer,
    ):
        record_id = await house.record()
        append = house.store.records.append

        async def refuse(commit: Any) -> None:
            raise StoreUnavailable("the disk is full")

        house.store.records.append = refuse
        etag = (await house.ask("nurse", "GET", f"/api/records/{record_id}")).headers["etag"]
        answer = await house.ask(
            "nurse", "PATCH", f"/api/records/{record_id}", VITALS, if_match=etag
        )
        house.store.records.append = append
        await patch(house, "nurse", record_id, {"vitals.pulse": 70})

        (told,) = await officer.hears("vital_signs_updated")
        assert answer.status_code == 503
        assert told.data["fields"] == ["vitals.pulse"]


@pytest.mark.rule("TELL-7")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 12), max_size=6))
def test_a_stream_that_is_cut_anywhere_resumes_without_gap_or_repetition(seed, cuts):
    async def run() -> tuple[list[int], int]:
        rng = random.Random(seed)
        async with living() as house:
            who = await principal(house, "nurse")
            hub = house.house.events
            heard: list[int] = []
            made, last = 0, 0
            for cut in [*cuts, 10_000]:
                frames = hub.subscribe(who, (), last).frames()
                wanted = made + rng.randrange(4)
                while made < wanted:
                    made += 1
                    await hub.announce([announcement(made), announcement(10**6 + made, roles=())])
                for _ in range(cut):
                    if cut == 10_000 and len(heard) == made:
                        break
                    try:
                        async with asyncio.timeout(0.05 if cut < 10_000 else 5):
                            event = parsed(await anext(frames))
                    except TimeoutError:
                        break
                    if rng.random() < 0.3:
                        made += 1
                        await hub.announce([announcement(made)])
                    if event is not None and event.id is not None:
                        last = event.id
                        if event.event != "ready":
                            heard.append(event.data["version"])
                await frames.aclose()
                for subscription in list(hub._open.values()):
                    subscription.end("left")
            return heard, made

    heard, made = asyncio.run(run())

    assert heard == list(range(1, made + 1))


@pytest.mark.rule("TELL-7")
async def test_a_stream_that_resumes_from_what_was_forgotten_is_told_so():
    async with living() as house:
        hub = house.house.events
        await hub.announce([announcement(n) for n in range(1, 6)])
        house.step(days=60)
        await hub.forget_old()
        answers = {}
        for after in (1, 3, 4, 5, 99):
            async with listening(house, "nurse", after=after) as ear:
                (ready,) = ear.of("ready")
                answers[after] = (ready.data["complete"], ear.sequences())

    assert answers == {
        1: (False, [5]), 3: (False, [5]), 4: (True, [5]), 5: (True, []), 99: (False, []),
    }  # fmt: skip


@pytest.mark.rule("TELL-9")
async def test_a_reader_that_is_too_slow_is_cut_and_can_resume():
    async with living(event_queue=8) as house:
        hub = house.house.events
        slow = hub.subscribe(await principal(house, "nurse"), (), 0)
        quick = await Ear(hub.subscribe(await principal(house, "nurse"), (), 0)).ready()

        for n in range(1, 21):
            await hub.announce([announcement(n)])
            await quick.hears("patient_registered", n)

        assert slow.ended.result() == "slow"
        heard = [event.data["version"] for event in quick.of("patient_registered")]
        assert heard == [*range(1, 21)]
        await quick.stop()


@pytest.mark.rule("TELL-9")
async def test_streams_end_with_their_log_in():
    async with living() as house:
        one = await Ear(
            house.house.events.subscribe(await principal(house, "nurse"), (), None)
        ).ready()

        await house.ask("nurse", "POST", "/api/logout")

        assert one.subscription.ended.result() == "signed_out"


async def test_one_person_has_so_many_streams_and_no_more():
    async with living(event_streams_per_person=2) as house:
        who = await principal(house, "nurse")
        first = house.house.events.subscribe(who, (), None)
        house.house.events.subscribe(who, (), None)

        with pytest.raises(TooManyStreams):
            house.house.events.subscribe(who, (), None)

        first.end("left")
        house.house.events.subscribe(who, (), None)


async def test_a_silent_stream_is_kept_alive_with_comments():
    async with living(event_heartbeat_seconds=0.01) as house:
        frames = house.house.events.subscribe(await principal(house, "nurse"), (), None).frames()

        received = [await anext(frames) for _ in range(4)]

    assert received[0].startswith(b"retry:")
    assert b"event: ready" in received[1]
    assert received[2:] == [b": still here\n\n"] * 2


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [
        ("?last_event_id=x", None, 422),
        ("", "-1", 422),
        ("?record=nowhere", None, 404),
        ("?record=" + ",".join(f"R{n}" for n in range(21)), None, 422),
        ("?what=else", None, 422),
    ],
)
async def test_a_stream_that_cannot_be_is_refused(query, header, status):
    async with living() as house:
        headers = {} if header is None else {"last_event_id": header}

        answer = await house.ask("nurse", "GET", f"/api/events{query}", **headers)

    assert answer.status_code == status


async def test_a_session_is_followed_only_by_who_may_open_its_record():
    async with living() as house:
        record_id = await house.record("eye_screening")

        refused = await house.ask("nurse", "GET", f"/api/events?record={record_id}")
        nobody = await house.http.head("/api/events")
        allowed = await house.ask("doctor", "HEAD", f"/api/events?record={record_id}")

        assert [refused.status_code, nobody.status_code, allowed.status_code] == [403, 401, 200]
        assert allowed.headers["content-type"].startswith("text/event-stream")
        assert allowed.headers["cache-control"] == "no-store"
        assert house.house.events._open == {}
        (read,) = await house.entries("doctor", action="read")
        assert (read.record_id, read.detail) == (record_id, "events")


async def test_a_store_that_cannot_be_read_for_a_while_delays_events_and_loses_none():
    async with living() as house, listening(house, "nurse") as nurse:
        after, failures = house.store.announcements.after, [1]

        async def fail_once(sequence: int, limit: int) -> Any:
            if failures:
                failures.pop()
                raise StoreUnavailable("busy")
            return await after(sequence, limit)

        house.store.announcements.after = fail_once
        await house.house.events.announce([announcement(1)])
        await nurse.hears("patient_registered")

    assert failures == []


# -- the board -------------------------------------------------------------------------------------


async def test_a_change_of_the_board_reaches_those_who_may_open_the_record():
    async with (
        living() as house,
        listening(house, "nurse") as nurse,
        listening(house, "doctor") as other_profile,
        listening(house, "admin") as admin,
    ):
        record_id = await house.record()
        (made,) = await nurse.hears("board")
        answer = await house.ask(
            "receptionist", "PUT", f"/api/sessions/{record_id}/steps/registration",
            {"status": "started"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        moved = (await nurse.hears("board", 2))[1]

        assert (made.data["record"], made.data["step"], made.data["status"]) == (
            record_id, "registration", "open",
        )  # fmt: skip
        assert (moved.data["step"], moved.data["step_status"]) == ("registration", "in_progress")
        assert made.data["board"] != moved.data["board"]
        assert other_profile.of("board") == admin.of("board") == []


# -- no values -------------------------------------------------------------------------------------


@pytest.mark.rule("TELL-4")
async def test_no_value_of_a_record_is_ever_told_or_stored_with_an_event():
    store = MemoryStore()
    async with (
        living(store, session_event_ms=0) as house,
        listening(house, "officer", "clinical_officer", "nurse", "lab_tech", "doctor") as everybody,
    ):
        outpatient = await house.record(**{"demographics.family_name": SECRETS[0]})
        eye = await house.record("eye_screening", **{"demographics.family_name": SECRETS[0]})
        watching = await Ear(
            house.house.events.subscribe(await principal(house, "doctor"), (eye,), None)
        ).ready()
        await patch(house, "nurse", outpatient, {"vitals.weight": 187.5})
        await patch(house, "nurse", outpatient, {"assessment.notes": SECRETS[4]})
        entry = {"code": "A00", "text": SECRETS[2], "certainty": "confirmed"}
        answer = await house.ask(
            "clinical_officer", "POST", f"/api/records/{outpatient}/entries/diagnosis", entry
        )
        assert answer.status_code == 201, answer.text
        await patch(house, "doctor", eye, {"findings.notes": SECRETS[4]})
        await everybody.hears("diagnosis_added")
        await watching.hears("hospital_mobile_session_update")
        kept = await store.announcements.after(0, 1000)
        sent = [event.data for event in everybody.events + watching.events]
        await watching.stop()

    text = msgspec.json.encode([kept, sent]).decode()
    assert {"vital_signs_updated", "diagnosis_added", "hospital_mobile_session_update"} <= {
        stored.announcement.event for stored in kept
    }
    assert [secret for secret in SECRETS if secret in text] == []


# -- a real server ---------------------------------------------------------------------------------


class Listener:
    """A stream over HTTP, read event by event."""

    def __init__(self, server: LiveServer, user: str, last: int | None = None) -> None:
        headers = {"authorization": f"Bearer {server.token(user)}"}
        if last is not None:
            headers["last-event-id"] = str(last)
        self._client = httpx.Client(timeout=20)
        self._answer = self._client.stream("GET", f"{server.url}/api/events", headers=headers)
        self.response = self._answer.__enter__()
        assert self.response.status_code == 200
        self._lines = self.response.iter_lines()
        self.next("ready")

    def next(self, name: str) -> Event:
        """The next event of this name; others are passed over."""
        frame: list[str] = []
        for line in self._lines:
            if line:
                frame.append(line)
                continue
            event = parsed("\n".join(frame).encode())
            frame = []
            if event is not None and event.event == name:
                return event
        raise AssertionError(f"the stream ended before {name}")

    def rest(self) -> list[str]:
        """Read to the end of the stream."""
        return list(self._lines)

    def close(self) -> None:
        self._answer.__exit__(None, None, None)
        self._client.close()


def patch_over_http(server: LiveServer, user: str, record_id: str, fields: dict[str, Any]) -> None:
    etag = server.request("GET", f"/api/records/{record_id}", user).headers["etag"]
    answer = server.request(
        "PATCH", f"/api/records/{record_id}", user, json=fields, headers={"if-match": etag}
    )
    assert answer.status_code == 200, answer.text


def test_a_stream_survives_a_restart_of_the_server_and_ends_with_its_log_in(tmp_path):
    server = LiveServer(tmp_path)
    try:
        record_id = server.new_record()
        first = Listener(server, "clinical_officer")
        patch_over_http(server, "nurse", record_id, {"vitals.pulse": 71})
        told = first.next("vital_signs_updated")
        assert first.response.headers["cache-control"] == "no-store"

        assert server.terminate() == 0
        assert first.rest() is not None  # it ended by itself, whole
        first.close()
        server.start()
        patch_over_http(server, "nurse", record_id, {"vitals.pulse": 72})
        second = Listener(server, "clinical_officer", last=(told.id or 0) - 1)
        second.close()

        login = server.log_in("clinical_officer")
        with httpx.stream(
            "GET", f"{server.url}/api/events?last_event_id={(told.id or 0) - 1}",
            headers={"authorization": f"Bearer {login['token']}"}, timeout=20,
        ) as answer:  # fmt: skip
            lines = answer.iter_lines()
            ids = []
            for line in lines:
                if line.startswith("id: "):
                    ids.append(int(line[4:]))
                if line.startswith("event: ready"):
                    break
            httpx.post(
                f"{server.url}/api/logout", headers={"authorization": f"Bearer {login['token']}"}
            )
            assert list(lines)[-1:] == [""]  # cut, in good order
        assert ids[0] == told.id
        assert len(ids) == 3  # both events and ready
    finally:
        server.kill()
