"""The benchmarks run, in miniature; no figure is asserted here."""

import subprocess
import sys
from pathlib import Path

import pycrdt
import pytest

pytest.importorskip("picows", reason="picows is in the group bench")

from benchmarks.edits import KEYED_FIELDS, MARK, ClientEdits
from benchmarks.scenarios import SCENARIOS
from benchmarks.web.browser import CHROMIUM
from benchmarks.web.measures import MEASURES

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "server" / "static" / "index.html"


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_runs_in_miniature(name: str) -> None:
    # A process of its own: a scenario moves itself to one core.
    command = [sys.executable, "-m", "benchmarks", name, "--tiny"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    assert "INCOMPLETE" not in done.stdout


@pytest.mark.skipif(
    not (Path(CHROMIUM).exists() and BUNDLE.is_file()), reason="no Chromium, or no built web app"
)
@pytest.mark.parametrize("name", MEASURES)
def test_measure_of_the_web_app_runs_in_miniature(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks.web", name, "--tiny"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    assert "INCOMPLETE" not in done.stdout


def test_prepared_edits_are_what_yrs_understands() -> None:
    doc: pycrdt.Doc[object] = pycrdt.Doc()
    edits = ClientEdits(4711, KEYED_FIELDS[0])

    for number in range(6):
        doc.apply_update(edits.next_update(number))

    assert str(doc.get("assessment.notes", type=pycrdt.Text)) == "~00000~00002~00004"
    assert doc.get("triage", type=pycrdt.Map).to_py() == {"complaint": "~00005"}
    assert pycrdt.get_state(doc.get_update()) == bytes([1, *b"\xe7\x24", edits.clock])


def test_a_backlog_is_one_update_with_its_marks() -> None:
    doc: pycrdt.Doc[object] = pycrdt.Doc()

    update, marks = ClientEdits(4711, KEYED_FIELDS[0]).backlog(range(6))
    doc.apply_update(update)

    assert doc.get("triage", type=pycrdt.Map).to_py() == {"complaint": "~00005"}
    assert marks == len(MARK.findall(update)) == 4
