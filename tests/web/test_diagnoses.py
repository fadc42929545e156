"""Diagnoses found by code or by words, in the list that the profile takes."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow


def test_a_diagnosis_is_found_by_words_and_its_title_comes_with_the_code(
    server: LiveServer, open_window: OpenWindow
) -> None:
    body = {
        "profile": "eye_screening",
        "fields": {"demographics.family_name": "Codedperson"},
    }
    record = server.request("POST", "/api/records", "registration_staff", json=body).json()["id"]
    doctor = open_window(server, "doctor", size="phone")
    doctor.open_record(record, "doctor_diagnosis")
    diagnosis = doctor.page.locator('[data-field="diagnosis"]')
    diagnosis.get_by_role("button", name="Add: Diagnosis").click()
    code = diagnosis.get_by_label("ICD-10 code")

    code.fill("malaria")
    expect(doctor.page.locator(".code-option")).to_have_count(0)  # not of the eye
    code.fill("nuclear cataract")
    option = doctor.page.locator(".code-option")
    expect(option).to_have_count(1)
    expect(option).to_contain_text("Nuclear cataract of old age")
    assert doctor.axe() == []
    doctor.page.keyboard.press("ArrowDown")
    doctor.page.keyboard.press("Enter")
    expect(code).to_have_value("H25.1")
    expect(diagnosis.get_by_label("Diagnosis", exact=True)).to_have_value(
        "Nuclear cataract of old age"
    )
    diagnosis.get_by_role("button", name="Add", exact=True).click()

    expect(diagnosis).to_contain_text("H25.1")
    doctor.expect_saved()
    (entry,) = server.record(record)["fields"]["diagnosis"].values()
    assert (entry["code"], entry["text"]) == ("H25.1", "Nuclear cataract of old age")
    assert server.refusals(record) == []


def test_a_diagnosis_is_found_by_words_of_the_persons_language(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.request(
        "POST", "/api/records", "registration_staff",
        json={"profile": "eye_screening", "fields": {"demographics.family_name": "Wordperson"}},
    ).json()["id"]  # fmt: skip
    doctor = open_window(server, "doctor", language="sw-TZ")
    doctor.open_record(record, "doctor_diagnosis")
    diagnosis = doctor.page.locator('[data-field="diagnosis"]')
    diagnosis.get_by_role("button", name="Utambuzi wa ugonjwa").click()
    code = diagnosis.get_by_label("Msimbo wa ICD-10")

    code.fill("nuclear cataract")
    expect(doctor.page.locator(".code-option")).to_contain_text("Mtoto wa jicho wa uzeeni wa kiini")
    code.fill("mtoto kiini")
    expect(doctor.page.locator(".code-option")).to_have_count(1)
    doctor.page.keyboard.press("ArrowDown")
    doctor.page.keyboard.press("Enter")

    expect(code).to_have_value("H25.1")
