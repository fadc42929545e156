"""Entries while they are written, and what colleagues say beside a section."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window
from tests.web.test_offline import until_offline_ready


def until_kept(window: Window, text: str) -> None:
    """The draft is in the store of this device."""
    window.until(
        "async () => (await window.fieldchart.at.workplace.store.heads())"
        f".some(head => JSON.stringify(head.drafts ?? {{}}).includes('{text}'))"
    )


def test_a_half_written_entry_outlives_a_reload_another_page_and_another_user(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    tablet = open_window(server, "clinical_officer")
    tablet.open_record(record, "consultation")
    list_ = tablet.page.locator('[data-field="prescriptions"]')
    list_.get_by_role("button", name="Add: Prescriptions").click()
    list_.get_by_label("Drug").fill("Amoxi")
    expect(list_).to_contain_text("Not written yet: this is a draft on this device.")

    tablet.page.get_by_role("link", name="Triage").click()
    tablet.page.get_by_role("link", name="Consultation").click()
    expect(list_.get_by_label("Drug")).to_have_value("Amoxi")
    until_kept(tablet, "Amoxi")
    tablet.page.get_by_role("button", name=": menu").click()
    tablet.page.get_by_role("menuitem", name="Switch user").click()
    tablet.sign_in("nurse")
    tablet.open_record(record, "consultation")
    expect(list_).to_be_visible()
    expect(list_.get_by_label("Drug")).to_have_count(0)

    tablet.page.get_by_role("button", name=": menu").click()
    tablet.page.get_by_role("menuitem", name="Switch user").click()
    tablet.sign_in("clinical_officer")
    tablet.open_record(record, "consultation")
    expect(list_.get_by_label("Drug")).to_have_value("Amoxi")
    tablet.page.reload()
    expect(list_.get_by_label("Drug")).to_have_value("Amoxi")
    assert tablet.axe() == []
    list_.get_by_label("Drug").fill("")  # what is taken back closes nothing
    list_.get_by_label("Drug").fill("Amoxicillin")
    list_.get_by_label("Dose").fill("500 mg")
    list_.get_by_role("button", name="Add", exact=True).click()

    expect(list_.locator(".entry")).to_contain_text("Amoxicillin")
    expect(list_.get_by_label("Drug")).to_have_count(0)
    tablet.page.reload()
    expect(list_.locator(".entry")).to_contain_text("Amoxicillin")
    expect(list_.get_by_label("Drug")).to_have_count(0)


def test_a_draft_of_a_correction_is_one_still_and_is_thrown_away_on_request(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    officer = open_window(server, "clinical_officer")
    officer.open_record(record, "consultation")
    list_ = officer.page.locator('[data-field="diagnosis"]')
    list_.get_by_role("button", name="Add: Diagnosis").click()
    words = list_.get_by_label("Diagnosis", exact=True)
    words.fill("Malaria")
    list_.get_by_role("button", name="Add", exact=True).click()
    list_.get_by_role("button", name="Correct").click()
    words.fill("Malaria, confirmed")
    until_kept(officer, "Malaria, confirmed")

    officer.page.reload()
    expect(list_.get_by_role("button", name="Save correction")).to_be_visible()
    expect(words).to_have_value("Malaria, confirmed")
    list_.get_by_role("button", name="Throw away").click()

    expect(words).to_have_count(0)
    expect(list_.locator(".entry")).to_have_count(1)


def test_colleagues_comment_on_a_section_beside_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    officer = open_window(server, "clinical_officer", size="phone", language="ar-EG")
    nurse.open_record(record, "triage")
    officer.open_record(record, "triage")
    nurse.page.get_by_role("button", name="Comments on Vital signs: 0").press("Enter")
    box = nurse.page.get_by_label("Comment on Vital signs")
    expect(box).to_be_focused()
    nurse.page.keyboard.type("Cuff was too small.")
    nurse.page.keyboard.press("Control+Enter")

    expect(nurse.page.get_by_role("button", name="Comments on Vital signs: 1")).to_be_visible()
    expect(box).to_have_value("")
    said = nurse.page.locator(".comments .entry")
    expect(said).to_contain_text("Cuff was too small.")
    expect(said).to_contain_text("Demo nurse (Nurse)")
    theirs = officer.page.locator(".section", has=officer.page.locator("#section-vitals"))
    expect(theirs.locator(".comments-button")).to_contain_text("1")
    theirs.locator(".comments-button").click()
    expect(theirs.locator(".comments .entry")).to_contain_text("Demo nurse")
    assert [*nurse.axe(), *officer.axe()] == []
    nurse.page.keyboard.press("Escape")
    expect(nurse.page.locator(".comments")).to_have_count(0)
    expect(nurse.page.get_by_role("button", name="Comments on Vital signs: 1")).to_be_focused()
    (entry,) = server.record(record)["fields"]["comments"].values()
    assert (entry["text"], entry["section"]) == ("Cuff was too small.", "vitals")
    everything = nurse.page.locator('[data-field="comments"]')
    nurse.open_record(record, "all")
    expect(everything.locator(".entry")).to_contain_text("Vital signs")
    everything.get_by_role("button", name="Add: Comments").click()
    everything.get_by_label("Comment (required)").fill("Allergy asked again.")
    everything.get_by_label("Section").select_option(label="Allergies and alerts")
    everything.get_by_role("button", name="Add", exact=True).click()
    expect(
        nurse.page.get_by_role("button", name="Comments on Allergies and alerts: 1")
    ).to_be_visible()


def test_a_comment_is_written_and_drafted_without_the_server(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    own_server.kill()

    nurse.page.get_by_role("button", name="Comments on Vital signs: 0").click()
    box = nurse.page.get_by_label("Comment on Vital signs")
    box.fill("Feverish at home.")
    nurse.page.get_by_role("button", name="Add comment").click()
    box.fill("And so is")
    until_kept(nurse, "And so is")
    nurse.page.reload()
    expect(box).to_have_value("And so is")
    expect(nurse.page.locator(".comments .entry")).to_contain_text("Demo nurse")
    box.fill("And so is her brother.")
    nurse.page.get_by_role("button", name="Add comment").click()
    expect(nurse.page.locator(".comments .entry")).to_have_count(2)

    own_server.start()
    nurse.expect_saved()
    entries = own_server.record(record)["fields"]["comments"]
    assert {one["text"] for one in entries.values()} == {
        "Feverish at home.", "And so is her brother.",
    }  # fmt: skip
