"""What a record says above its form: news, refusals, emergency access, what a hand-off lacks."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import ROOT, OpenWindow


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Outpatient records are opened by whoever is assigned to them."""
    folder = tmp_path_factory.mktemp("strict")
    profile = folder / "outpatient.toml"
    text = (ROOT / "profiles" / "outpatient.toml").read_text("utf-8")
    changed = text.replace("assignment_required = false", "assignment_required = true")
    assert changed != text
    profile.write_text(text, "utf-8")
    running = LiveServer(folder, {"FIELDCHART_PROFILES": f"{profile},eye_screening"})
    try:
        # The demo's records are made by people whom nobody assigned.
        running.terminate()
        profile.write_text(changed, "utf-8")
        running.start()
        yield running
    finally:
        running.kill()


def test_the_bar_says_who_changed_what_shows_it_and_takes_theirs(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    other = open_window(server, "nurse")
    nurse.open_record(record, "triage")
    other.open_record(record, "all")
    officer = open_window(server, "clinical_officer")
    officer.open_record(record, "consultation")
    for window in (nurse, officer):
        window.expect_synced()
    nurse.box("vitals.pulse").fill("9")
    other.write("vitals.pulse", "72")
    officer.box("diagnosis.plan").fill("Rest.")

    news = nurse.page.get_by_test_id("news")
    expect(news).to_contain_text("Demo nurse changed Pulse since you opened this. Your text stays.")
    expect(news).to_contain_text("Demo clinical officer changed Plan")
    expect(nurse.box("vitals.pulse")).to_have_value("9")
    expect(officer.page.get_by_test_id("news")).to_contain_text("Pulse")
    news.get_by_role("button", name="Take theirs").click()
    expect(nurse.box("vitals.pulse")).to_have_value("72")
    expect(news).to_have_count(0)

    officer.page.get_by_test_id("news").get_by_role("button", name="Show").click()
    expect(officer.page).to_have_url(re.compile("/triage$"))
    expect(officer.field("vitals.pulse")).to_be_in_viewport()


CUTTABLE = """() => {
    const all = new Set()
    let isCut = false
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            if (isCut) throw new Error('no network')
            super(...given)
            all.add(this)
        }
    }
    window.cut = cut => { isCut = cut; if (cut) for (const socket of all) socket.close() }
}"""
"""Gives the page `cut(true)`: its sockets end and no new one opens, as in a dead corner."""


def test_the_bar_names_the_authors_of_what_came_after_an_outage_and_of_shared_text(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    nurse.page.evaluate(CUTTABLE)
    nurse.open_record(record, "triage")
    nurse.expect_synced()
    officer = open_window(server, "clinical_officer")
    officer.open_record(record, "consultation")
    other = open_window(server, "nurse")
    other.open_record(record, "triage")

    other.box("assessment.notes").press_sequentially("Pale. ")
    news = nurse.page.get_by_test_id("news")
    expect(news).to_contain_text("Demo nurse changed Assessment notes")
    expect(nurse.box("assessment.notes")).to_have_value("Pale. ")
    news.get_by_role("button", name="Close").click()

    nurse.page.evaluate("() => window.cut(true)")
    nurse.until(
        "async () => window.fieldchart.at.workplace.overview.standings"
        ".some(({ open }) => open?.status.link.kind === 'waiting')"
    )
    nurse.box("vitals.pulse").fill("9")
    officer.write("diagnosis.plan", "Rest.")
    officer.expect_saved()
    entered = {"vitals.pulse": 72, "assessment.notes": "Pale. Cold hands."}
    version = server.record(record)["version"]
    answer = server.request(
        "PATCH", f"/api/records/{record}", "nurse",
        json=entered, headers={"If-Match": f'"{version}"'},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    officer.page.close()
    other.page.close()
    nurse.page.evaluate("() => window.cut(false)")

    expect(news).to_contain_text("Demo clinical officer changed")
    expect(news).to_contain_text("Plan")
    expect(news).to_contain_text("Pulse")
    expect(news).to_contain_text("Assessment notes")
    expect(nurse.box("vitals.pulse")).to_have_value("9")  # my text stays
    news.get_by_role("button", name="Take theirs").click()
    expect(nurse.box("vitals.pulse")).to_have_value("72")
    expect(nurse.box("assessment.notes")).to_have_value("Pale. Cold hands.")
    expect(news).to_have_count(0)


def test_a_supervisor_sees_what_others_were_refused_and_applies_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "consultation")
    nurse.page.evaluate(
        "() => window.fieldchart.at.workplace.hold(location.pathname.split('/')[2])"
        ".set('lab_status.state', 'done')"
    )
    own = nurse.page.get_by_test_id("refusal")
    expect(own).to_be_visible()
    assert own.get_by_role("button", name="Apply").count() == 0
    supervisor = open_window(server, "supervisor")
    supervisor.open_record(record, "all")

    refusal = supervisor.page.get_by_test_id("refusal")
    expect(refusal).to_contain_text("Demo nurse")
    assert supervisor.axe() == []
    refusal.get_by_role("button", name="Apply").click()

    expect(refusal).to_have_count(0)
    assert server.record(record)["fields"]["lab_status"]["state"] == "done"


def test_an_author_lays_a_refusal_aside_on_the_server_too(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "consultation")
    nurse.page.evaluate(
        "() => window.fieldchart.at.workplace.hold(location.pathname.split('/')[2])"
        ".set('lab_status.state', 'done')"
    )
    own = nurse.page.get_by_test_id("refusal")
    expect(own).to_be_visible()
    own.get_by_role("button", name="Dismiss").click()
    expect(own).to_have_count(0)
    expect(nurse.chip).to_have_attribute("data-state", "saved")


def test_a_record_that_is_not_mine_opens_in_an_emergency_and_everybody_sees_it(
    strict: LiveServer, open_window: OpenWindow
) -> None:
    record = strict.new_record()
    nurse = open_window(strict, "nurse", size="phone")
    supervisor = open_window(strict, "supervisor")
    supervisor.open_record(record, "all")
    nurse.page.evaluate(
        "path => { history.pushState(null, '', path);"
        " dispatchEvent(new PopStateEvent('popstate')) }",
        f"/records/{record}/triage",
    )
    form = nurse.page.locator("form.emergency")
    expect(form).to_be_visible()
    expect(nurse.page.get_by_role("alert").first).to_contain_text("not assigned")
    assert nurse.axe() == []
    form.get_by_role("button").click()
    expect(form).to_contain_text("Say it in a sentence.")
    form.get_by_label("Why must it be opened now?").fill("Not breathing well, nobody else here")
    form.get_by_role("button").click()

    expect(nurse.page.get_by_test_id("emergency")).to_contain_text("You are here by emergency")
    expect(supervisor.page.get_by_test_id("emergency")).to_contain_text(
        "Demo nurse is here by emergency access until"
    )
    nurse.write("vitals.spo2", "88")
    nurse.expect_saved()
    nurse.page.get_by_test_id("emergency").get_by_role("button", name="End it").click()
    expect(supervisor.page.get_by_test_id("emergency")).to_have_count(0)
    expect(form).to_be_visible()


def test_the_hand_off_names_only_what_is_missing(
    server: LiveServer, open_window: OpenWindow
) -> None:
    clerk = open_window(server, "receptionist")
    clerk.open_record(server.new_record(), "registration")
    bar = clerk.page.locator("footer.hand-off")
    needed = bar.get_by_role("button", name=re.compile("Given name|Date of birth|Sex|Family name"))
    expect(needed).to_have_text(["Given name", "Date of birth", "Sex"])
    clerk.write("demographics.birth_date", "1971-11-02")
    clerk.write("demographics.given_name", "Baraka")

    expect(needed).to_have_text(["Sex"])
    expect(clerk.field("demographics.birth_date")).to_contain_text("02-Nov-1971")
    clerk.box("demographics.sex").select_option("male")
    expect(bar).not_to_contain_text("Needed")
    widths = {
        round(box["width"])
        for name in ("family_name", "birth_date", "sex")
        if (box := clerk.box(f"demographics.{name}").bounding_box())
    }
    assert len(widths) == 1
