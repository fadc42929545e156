"""Fields that somebody holds: seen by others, asked for, ended, and what was typed meanwhile."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.live_server import LiveServer, run_fieldchart
from tests.web.conftest import OpenWindow

LOCK_S = 12
COLLEAGUE = "second_nurse"
PASSWORD = "second nurse's password"


def with_a_colleague(server: LiveServer) -> LiveServer:
    """A second person may write what the demo's nurse writes."""
    made = run_fieldchart(
        "user", "add", COLLEAGUE, "--role", "nurse", "--full-name", "Beatrice Example",
        "--password-stdin", "--data", str(server.data), stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return server


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    running = LiveServer(tmp_path_factory.mktemp("locks"))
    try:
        yield with_a_colleague(running)
    finally:
        running.kill()


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Locks last seconds here."""
    folder = tmp_path_factory.mktemp("short-locks")
    running = LiveServer(folder, {"FIELDCHART_LOCK_SECONDS": str(LOCK_S)})
    try:
        yield with_a_colleague(running)
    finally:
        running.kill()


def test_a_held_field_is_read_by_others_and_written_by_nobody_else_until_it_is_left(
    clinic: LiveServer, open_window: OpenWindow
) -> None:
    record = clinic.new_record()
    nurse = open_window(clinic, "nurse")
    colleague = open_window(clinic)
    colleague.sign_in(COLLEAGUE, PASSWORD)
    nurse.open_record(record, "triage")
    colleague.open_record(record, "triage")
    officer = open_window(clinic, "clinical_officer")
    officer.open_record(record, "triage")

    nurse.box("vitals.pulse").focus()
    for other in (colleague, officer):
        lock = other.field("vitals.pulse").locator('[data-lock="theirs"]')
        expect(lock).to_contain_text("Demo nurse ·")
        expect(lock).to_contain_text(" left")
    expect(colleague.field("vitals.pulse").locator("input")).to_have_count(0)
    expect(colleague.field("vitals.temperature").locator("input")).to_have_count(1)
    assert officer.field("vitals.pulse").get_by_role("button", name="Ask for").count() == 0
    assert colleague.axe() == []

    nurse.box("vitals.pulse").fill("88")
    nurse.box("vitals.pulse").blur()
    expect(colleague.field("vitals.pulse").locator("[data-lock]")).to_have_count(0)
    expect(colleague.box("vitals.pulse")).to_have_value("88")


def test_whoever_is_asked_for_a_field_sees_by_whom_and_lets_go(
    clinic: LiveServer, open_window: OpenWindow
) -> None:
    record = clinic.new_record()
    nurse = open_window(clinic, "nurse")
    colleague = open_window(clinic)
    colleague.sign_in(COLLEAGUE, PASSWORD)
    nurse.open_record(record, "triage")
    colleague.open_record(record, "triage")
    nurse.box("vitals.spo2").fill("9")

    colleague.field("vitals.spo2").get_by_role("button", name="Ask for: SpO₂").click()

    expect(colleague.field("vitals.spo2")).to_contain_text("asked")
    asked = nurse.field("vitals.spo2").locator('[data-lock="asked"]')
    expect(asked).to_contain_text("Asks for this field: Beatrice Example")
    expect(nurse.box("vitals.spo2")).to_be_focused()
    nurse.box("vitals.spo2").press_sequentially("7")
    asked.get_by_role("button", name="Let go").click()
    expect(colleague.box("vitals.spo2")).to_have_value("97")
    colleague.write("vitals.spo2", "96")
    expect(nurse.box("vitals.spo2")).to_have_value("96")
    colleague.expect_saved()


def test_a_lock_that_expires_is_told_and_the_text_stays_until_it_is_written_or_thrown_away(
    hurried: LiveServer, open_window: OpenWindow
) -> None:
    record = hurried.new_record()
    nurse = open_window(hurried, "nurse")
    colleague = open_window(hurried)
    colleague.sign_in(COLLEAGUE, PASSWORD)
    nurse.open_record(record, "triage")
    colleague.open_record(record, "triage")

    nurse.box("vitals.pulse").press_sequentially("7")
    ending = nurse.field("vitals.pulse").locator('[data-lock="ending"]')
    expect(ending).to_contain_text("ends soon")
    expect(colleague.field("vitals.pulse").locator('[data-lock="theirs"]')).to_be_visible()

    kept = nurse.field("vitals.pulse").locator(".kept-draft")
    expect(kept).to_contain_text(
        "Your hold on this field has ended. Your text is kept: 7", timeout=3 * LOCK_S * 1000
    )
    expect(colleague.field("vitals.pulse").locator("[data-lock]")).to_have_count(0)
    colleague.write("vitals.pulse", "72")
    expect(nurse.field("vitals.pulse")).to_contain_text("72")
    expect(kept).to_contain_text("Your text is kept: 7")
    assert nurse.axe() == []
    kept.get_by_role("button", name="Try again").click()
    expect(nurse.box("vitals.pulse")).to_be_focused()
    expect(nurse.box("vitals.pulse")).to_have_value("7")
    nurse.box("vitals.pulse").press_sequentially("9")
    nurse.box("vitals.pulse").blur()

    nurse.expect_saved()
    assert hurried.record(record)["fields"]["vitals"]["pulse"] == 79


def test_typing_renews_the_lock(hurried: LiveServer, open_window: OpenWindow) -> None:
    record = hurried.new_record()
    nurse = open_window(hurried, "nurse")
    colleague = open_window(hurried)
    colleague.sign_in(COLLEAGUE, PASSWORD)
    nurse.open_record(record, "triage")
    colleague.open_record(record, "triage")
    lock = colleague.field("triage.complaint").locator('[data-lock="theirs"]')

    nurse.box("triage.complaint").press_sequentially("Fever for some days", delay=LOCK_S * 60)

    assert lock.is_visible()
    assert nurse.field("triage.complaint").locator(".kept-draft").count() == 0


def test_the_same_person_in_two_windows_is_told_and_may_go_on_in_either(
    clinic: LiveServer, open_window: OpenWindow
) -> None:
    record = clinic.new_record()
    first = open_window(clinic, "nurse")
    second = open_window(clinic, "nurse")
    first.open_record(record, "triage")
    second.open_record(record, "triage")
    first.box("vitals.pulse").press_sequentially("8")
    told = second.field("vitals.pulse").locator('[data-lock="elsewhere"]')
    expect(told).to_contain_text("another window")

    second.box("vitals.pulse").focus()
    told.get_by_role("button", name="Go on here").click()

    kept = first.field("vitals.pulse").locator(".kept-draft")
    expect(kept).to_contain_text("You went on in another window. Your text is kept: 8")
    second.box("vitals.pulse").press_sequentially("81")
    second.box("vitals.pulse").blur()
    kept.get_by_role("button", name="Throw away").click()
    expect(first.box("vitals.pulse")).to_have_value("81")


def test_a_draft_is_still_there_after_the_page_was_loaded_again(
    clinic: LiveServer, open_window: OpenWindow
) -> None:
    record = clinic.new_record()
    nurse = open_window(clinic, "nurse")
    nurse.open_record(record, "triage")
    nurse.box("vitals.pulse").fill("900")
    nurse.box("vitals.pulse").blur()
    expect(nurse.field("vitals.pulse").get_by_role("alert")).to_contain_text("20 – 300")
    nurse.until(
        "async () => 'vitals.pulse' in"
        f" ((await fieldchart.at.workplace.store.head('{record}'))?.drafts ?? {{}})"
    )

    nurse.page.reload()

    expect(nurse.box("vitals.pulse")).to_have_value("900")
    expect(nurse.field("vitals.pulse")).to_contain_text("Not written yet")
    assert "pulse" not in clinic.record(record)["fields"].get("vitals", {})


def test_without_network_a_held_field_may_be_written_and_it_says_what_may_follow(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    with_a_colleague(own_server)
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    colleague = open_window(own_server)
    colleague.sign_in(COLLEAGUE, PASSWORD)
    nurse.open_record(record, "triage")
    colleague.open_record(record, "triage")
    nurse.box("vitals.pulse").focus()
    expect(colleague.field("vitals.pulse").locator('[data-lock="theirs"]')).to_be_visible()
    expect(colleague.field("vitals.pulse").locator("input")).to_have_count(0)

    own_server.kill()

    expect(colleague.field("vitals.pulse")).to_contain_text(
        "Demo nurse held this when the connection went: what you write may become a conflict."
    )
    colleague.write("vitals.pulse", "70")
    expect(colleague.chip).to_contain_text("1 waiting")
    nurse.box("vitals.pulse").fill("75")
    nurse.box("vitals.pulse").blur()
    own_server.start()
    expect(nurse.page.get_by_test_id("conflict")).to_contain_text("70")
    expect(colleague.page.get_by_test_id("conflict")).to_contain_text("75")
