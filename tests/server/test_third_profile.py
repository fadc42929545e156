"""A profile made only of TOML runs a record: created, edited live, refused, read."""

from pathlib import Path

import pytest

from server.errors import EditRefused, NotAllowed
from server.executor import Batch
from server.live_room import LiveRoom
from server.visits import change_step
from tests.support.rooms import NOW, HeldStore, RecordingPeer, hosting, person, settled

ANTENATAL = Path(__file__).parents[2] / "examples" / "custom_profile" / "antenatal.toml"


async def test_a_record_of_a_profile_without_code_is_edited_live_and_judged_by_it() -> None:
    async with hosting(HeldStore(), ANTENATAL) as (host, record_id):
        async with host.opened(record_id) as room:
            version = (await host.view(record_id)).version
            name = {"mother.given_name": "Amina"}
            await host.edit(person("clerk"), record_id, name, if_version=version)

            async def complete(live: LiveRoom, batch: Batch) -> None:
                change_step(live, batch, person("clerk"), "registration", "complete", NOW)

            await host.ask(record_id, complete)
            midwife, doctor = RecordingPeer(person("midwife")), RecordingPeer(person("doctor"))
            for peer in (midwife, doctor):
                await peer.sync(room)
            await settled()
            midwife.messages(), doctor.messages()

            midwife.map("pregnancy")["gravida"] = 2
            midwife.map("pregnancy")["gestation_weeks"] = 99
            midwife.map("mother")["village"] = "elsewhere"
            await midwife.push(room)
            await settled()
            midwife.messages(), doctor.messages()

            for peer in (midwife, doctor):
                assert peer.map("pregnancy").to_py() == {"gravida": 2.0}
                assert peer.map("mother").to_py() == {
                    "family_name": "TESTCASE", "given_name": "Amina",
                }  # fmt: skip
        view = await host.view(record_id, person("midwife"))
        assert view.number.startswith("ANC-")
        assert view.fields["pregnancy"] == {"gravida": 2}


async def test_the_step_restricts_writing_where_the_profile_says_so() -> None:
    async with hosting(HeldStore(), ANTENATAL) as (host, record_id):
        version = (await host.view(record_id)).version

        with pytest.raises(EditRefused) as refused:
            await host.edit(
                person("midwife"), record_id, {"pregnancy.gravida": 2}, if_version=version
            )

        assert [violation.rule for violation in refused.value.violations] == ["step"]


async def test_who_may_not_read_every_field_reads_over_rest_but_does_not_sync() -> None:
    async with hosting(HeldStore(), ANTENATAL) as (host, record_id):
        clerk = person("clerk")
        async with host.opened(record_id) as room:
            with pytest.raises(NotAllowed):
                host.check_join(room, clerk)

        view = await host.view(record_id, clerk)

        assert view.fields["mother"] == {"family_name": "TESTCASE"}
