"""The demo: records at every step of each profile, or one line that says why not."""

from pathlib import Path

import httpx
import pytest

from permissions.policy import Policy
from permissions.profile import parse_profile
from server.demo import make_demo_accounts, make_demo_records
from server.profiles import load_policies
from storage.ports import RecordFilter
from tests.server.test_cli import run
from tests.server.test_emergencies import SHIPPED, assigning
from tests.server.test_serving import served
from tests.support.house import Household, living


async def demonstrated(household: Household) -> tuple[list[str], list[str]]:
    """What the demo says, and at which steps its records stand, the oldest first."""
    house = household.house
    roles = [role for policy in house.policies.values() for role in policy.profile.roles]
    await make_demo_accounts(
        household.store, roles, house.authenticator.passwords, lambda: household.now
    )
    said = await make_demo_records(household.store, house.rooms, house.policies)
    heads = await household.store.records.list(RecordFilter())
    return list(said), [head.facts.current_step for head in reversed(heads)]


async def test_a_profile_that_asks_for_assignments_is_demonstrated_as_one_that_does_not() -> None:
    async with (
        living(policies=assigning()) as asking,
        living(policies=load_policies(["outpatient"])) as open_to_all,
    ):
        said, steps = await demonstrated(asking)

        assert (said, steps) == await demonstrated(open_to_all)
        assert said == []
        assert {"registration", "triage", "laboratory", "discharge"} <= set(steps)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("cashier", "till"), "no demo records of 'outpatient': it has no 'payment' of 'cashier'"),
        (
            ("systolic", "upper"),
            "not all demo records of 'outpatient': it is not as it was shipped",
        ),
    ],
)
async def test_a_changed_profile_is_told_in_one_line(change: tuple[str, str], line: str) -> None:
    text = SHIPPED.read_text()
    assert change[0] in text
    profile = parse_profile(text.replace(*change), "outpatient.toml")

    async with living(policies={profile.name: Policy(profile)}) as household:
        (said,), _ = await demonstrated(household)

    assert said.startswith(line)
    assert "\n" not in said


def test_a_served_file_is_read_by_the_commands_that_are_given_it_too(tmp_path: Path) -> None:
    ward, data = tmp_path / "ward.toml", tmp_path / "data"
    ward.write_text(SHIPPED.read_text().replace('name = "outpatient"', 'name = "ward"', 1))
    with served(data, "--profile", str(ward)) as running:
        assert running.process.stderr is not None
        said = next(line for line in running.process.stderr if "demo" in line)
        headers = {"authorization": f"Bearer {running.sign_in('receptionist')}"}
        made = httpx.post(f"{running.url}/api/records", json={"profile": "ward"}, headers=headers)
    number = made.json()["number"]

    assert said == "no demo records of 'ward': no patients are invented for it\n"
    for command in (("inspect", number), ("inspect", number, "--version", "1"), ("verify",)):
        without = run(*command, "--data", str(data))
        given = run(*command, "--data", str(data), "--profile", str(ward))
        assert given.exit_code == 0, given.stderr
        assert without.exit_code == 1
        assert "name its file with --profile" in without.stderr
    for command in (("history", number, "--field", "vitals.pulse"), ("compact",)):
        assert run(*command, "--data", str(data), "--profile", str(ward)).exit_code == 0, command
