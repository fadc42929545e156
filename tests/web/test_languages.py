"""A record in the person's language: the app's words and the profile's, also without the server."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window
from tests.web.test_offline import until_offline_ready
from tests.web.test_two_people import FORCED

ALL_WORDS_ARE_HERE = """async () => {
  const { profiles } = window.fieldchart.at.workplace
  const kept = await Promise.all(
    ['en', 'fr', 'ar', 'sw'].map((language) => profiles.kept('outpatient', language)))
  return kept.every((profile) => profile !== null)
}"""


def switch(window: Window, language: str, name: str) -> None:
    """By the person's menu."""
    window.page.locator("header .chip-person").click()
    window.page.get_by_role("menuitem", name=name).click()
    expect(window.page.locator("html")).to_have_attribute("lang", language)


def options(window: Window, field: str) -> list[str]:
    return [text.strip() for text in window.field(field).locator("option").all_inner_texts()]


def test_an_arabic_window_shows_the_record_from_right_to_left_in_arabic(
    server: LiveServer, open_window: OpenWindow
) -> None:
    nurse = open_window(server, "nurse", language="ar-EG")
    nurse.open_record(server.new_record(), "triage")

    expect(nurse.page.locator("html")).to_have_attribute("dir", "rtl")
    expect(nurse.page.locator("html")).to_have_attribute("lang", "ar")
    expect(nurse.page.get_by_role("heading", name="العلامات الحيوية")).to_be_visible()
    expect(nurse.field("vitals.pulse")).to_contain_text("النبض")
    expect(nurse.field("vitals.pain")).to_contain_text("من 10")
    assert {"طارئ", "عاجل", "ذو أولوية", "اعتيادي"} <= set(options(nurse, "triage.category"))
    # Nothing of the profile is left in its own language.
    shown = nurse.page.locator(".record").inner_text()
    for word in ("Pulse", "Vital signs", "Emergency", "Triage", "Receptionist", "Registration"):
        assert word not in shown


def test_a_swahili_window_shows_titles_options_and_steps_in_swahili(
    server: LiveServer, open_window: OpenWindow
) -> None:
    nurse = open_window(server, "nurse", language="sw-TZ")
    nurse.open_record(server.new_record(), "triage")

    expect(nurse.page.locator("html")).to_have_attribute("dir", "ltr")
    expect(nurse.page.get_by_role("heading", name="Dalili muhimu za uhai")).to_be_visible()
    expect(nurse.field("vitals.pulse")).to_contain_text("Mapigo ya moyo")
    assert {"Dharura", "Haraka", "Kipaumbele", "Kawaida"} <= set(options(nurse, "triage.category"))
    shown = nurse.page.locator(".record").inner_text()
    assert "Usajili" in shown
    for word in ("Pulse", "Vital signs", "Emergency", "Triage", "Receptionist", "Registration"):
        assert word not in shown


def test_the_language_is_switched_without_the_server(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    nurse.until(ALL_WORDS_ARE_HERE)

    own_server.kill()
    nurse.write("vitals.pulse", "88")
    nurse.box("triage.complaint").fill("half a sentence")
    switch(nurse, "ar", "العربية")

    expect(nurse.page.locator("html")).to_have_attribute("dir", "rtl")
    expect(nurse.field("vitals.pulse")).to_contain_text("النبض")
    expect(nurse.box("vitals.pulse")).to_have_value("88")
    expect(nurse.box("triage.complaint")).to_have_value("half a sentence")

    switch(nurse, "sw", "Kiswahili")
    expect(nurse.page.locator("html")).to_have_attribute("dir", "ltr")
    expect(nurse.field("vitals.pulse")).to_contain_text("Mapigo ya moyo")

    nurse.page.reload()
    expect(nurse.field("vitals.pulse")).to_contain_text("Mapigo ya moyo")
    expect(nurse.box("vitals.pulse")).to_have_value("88")

    own_server.start()
    nurse.expect_saved()
    assert own_server.record(record)["fields"]["vitals"] == {"pulse": 88}


def test_a_refusal_is_explained_in_the_persons_language(
    server: LiveServer, open_window: OpenWindow
) -> None:
    nurse = open_window(server, "nurse", language="sw-TZ")
    nurse.open_record(server.new_record(), "consultation")

    nurse.page.evaluate(FORCED)

    refusal = nurse.page.get_by_test_id("refusal")
    expect(refusal).to_contain_text("Mpango wa matibabu")
    expect(refusal).to_contain_text("Huandikwa na hawa tu: Tabibu.")
    expect(refusal).not_to_contain_text("do not write")
    nurse.chip.click()
    lines = nurse.page.get_by_role("dialog")
    expect(lines).to_contain_text("Mpango wa matibabu: Huandikwa na hawa tu: Tabibu.")


def test_the_audit_trail_and_the_dashboard_speak_french(
    server: LiveServer, open_window: OpenWindow
) -> None:
    supervisor = open_window(server, "supervisor", language="fr-FR")
    supervisor.page.locator("header .chip-person").click()
    supervisor.page.get_by_role("menuitem", name="Journal d'audit").click()
    trail = supervisor.page.get_by_test_id("audit-lines")
    expect(trail).to_contain_text("une modification a été acceptée")
    expect(trail).not_to_contain_text("an update of a record")

    supervisor.page.get_by_role("link", name="Tableau de bord").click()
    metrics = supervisor.page.locator("#panel-metrics").locator("xpath=../..")
    expect(metrics).to_contain_text("Attente avant le triage")
