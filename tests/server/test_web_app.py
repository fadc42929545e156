"""The web app's files: what is served, with which headers, and what it must not shadow."""

from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from server.web_app import WebApp

ELSEWHERE = PlainTextResponse("elsewhere", status_code=404)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / ".vite").mkdir()
    (folder / "index.html").write_text("<!doctype html>page")
    (folder / "sw.js").write_text("worker")
    (folder / "assets" / "index-Ab12.js").write_text("script")
    (folder / "assets" / "index-Ab12.js.gz").write_bytes(b"gz")
    (folder / "assets" / "index-Ab12.js.br").write_bytes(b"br")
    (folder / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def client(folder: Path) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=WebApp(folder, ELSEWHERE))
    return httpx.AsyncClient(transport=transport, base_url="http://clinic.test")


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/queue", "/records/01J0/triage", "/no/such/screen"]
)
async def test_every_screen_is_the_page_and_asked_for_again(bundle: Path, path: str) -> None:
    async with client(bundle) as browser:
        answer = await browser.get(path)

    assert answer.text == "<!doctype html>page"
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/api/unknown", "/sync/x/y", "/collab/x", "/metrics/x", "/assets/old-Cd34.js",
        "/missing.png", "/.vite/manifest.json", "/../secret.txt", "/%2e%2e/secret.txt",
        "/assets/index-Ab12.js.gz",
    ],
)  # fmt: skip
async def test_what_is_no_screen_and_no_file_is_left_to_the_server(bundle: Path, path: str) -> None:
    async with client(bundle) as browser:
        answer = await browser.get(path)

    assert (answer.status_code, answer.text) == (404, "elsewhere")


async def test_a_post_is_never_answered_with_the_page(bundle: Path) -> None:
    async with client(bundle) as browser:
        answer = await browser.post("/queue")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("accepted", "body", "encoding"),
    [("gzip, br;q=1.0", b"br", "br"), ("gzip", b"gz", "gzip"), ("identity", b"script", None)],
)
async def test_hashed_files_are_cached_for_ever_and_sent_as_compressed_as_can_be(
    bundle: Path, accepted: str, body: bytes, encoding: str | None
) -> None:
    async with (
        client(bundle) as browser,
        browser.stream(
            "GET", "/assets/index-Ab12.js", headers={"accept-encoding": accepted}
        ) as answer,
    ):
        raw = b"".join([part async for part in answer.aiter_raw()])

    assert raw == body
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"


async def test_the_service_worker_is_asked_for_again_each_time(bundle: Path) -> None:
    async with client(bundle) as browser:
        answer = await browser.get("/sw.js")

    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"].startswith("text/javascript")


async def test_without_a_bundle_everything_is_left_to_the_server(tmp_path: Path) -> None:
    assert not WebApp(tmp_path / "static", ELSEWHERE).is_built
    async with client(tmp_path / "static") as browser:
        assert (await browser.get("/queue")).status_code == 404
