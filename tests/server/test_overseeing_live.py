"""The supervisor's view, its alerts and the background jobs of a real server process."""

from pathlib import Path

import httpx

from tests.support.live_server import LiveServer


def test_a_real_server_shows_its_demo_ward_and_its_jobs_succeed(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    try:
        path = "/api/dashboard?profile=outpatient"
        shown = server.request("GET", path, "supervisor").json()
        metrics = httpx.get(f"{server.url}/metrics").text
        ready = httpx.get(f"{server.url}/readyz").text
        assert server.terminate() == 0
        verified = server.verify()
    finally:
        server.kill()

    assert sum(step["waiting"] + step["in_progress"] for step in shown["steps"]) > 0
    assert {one["status"] for one in shown["metrics"]} <= {"ok", "breached", "no data"}
    assert 'fieldchart_job_last_success{job="alerts"}' in metrics
    assert 'fieldchart_job_last_success{job="measures"}' in metrics
    assert "fieldchart_job_failures_total{" not in metrics
    assert '"ok"' in ready
    assert verified.returncode == 0, verified.stdout
