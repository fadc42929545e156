"""`@fieldchart/client` as others get it: packed, installed, run by Node and by a bare page."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser

from tests.support.live_server import LiveServer

WEB = Path(__file__).parents[2] / "web"
PACKAGE = WEB / "src" / "sync"
NEIGHBOURS = ("yjs", "y-protocols", "lib0", "@noble", "isomorphic.js", "fake-indexeddb")

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or not (WEB / "node_modules" / ".bin" / "tsc").exists(),
    reason="web: no node_modules; run `npm ci` there",
)


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's folder with the packed package; what it depends on is linked, not fetched."""
    folder = tmp_path_factory.mktemp("program")
    run("npm", "pack", "--offline", "--pack-destination", str(folder), cwd=PACKAGE)
    [tarball] = folder.glob("*.tgz")
    modules = folder / "node_modules"
    place = modules / "@fieldchart" / "client"
    place.mkdir(parents=True)
    with tarfile.open(tarball) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    shutil.copytree(folder / "unpacked" / "package", place, dirs_exist_ok=True)
    for name in NEIGHBOURS:
        if (WEB / "node_modules" / name).exists():
            (modules / name).symlink_to(WEB / "node_modules" / name)
    return folder


def readme_example() -> str:
    [example] = re.findall(r"```js\n(.*?)```", (PACKAGE / "README.md").read_text("utf-8"), re.S)
    return str(example)


def test_the_tarball_holds_modules_types_and_words_and_no_sources(installed: Path) -> None:
    place = installed / "node_modules" / "@fieldchart" / "client"
    names = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}

    assert {
        "package.json",
        "README.md",
        "dist/LICENSE",
        "dist/index.js",
        "dist/index.d.ts",
    } <= names
    assert {Path(name).suffix for name in names} <= {".js", ".ts", ".json", ".md", ""}
    assert not [name for name in names if "test" in name or re.search(r"(?<!\.d)\.ts$", name)]


def test_the_example_of_its_readme_runs_in_node_until_the_edit_is_on_the_servers_disk(
    installed: Path, server: LiveServer
) -> None:
    (installed / "example.mjs").write_text(readme_example(), "utf-8")
    major = int(run("node", "--version", cwd=installed).lstrip("v").split(".")[0])
    flags = ("--experimental-websocket",) if major < 22 else ()

    said = run("node", *flags, "example.mjs", cwd=installed, FIELDCHART_URL=server.url)

    found = re.search(r"on the server’s disk (\w{26}) (\d+)", said)
    assert found is not None, said
    record = server.record(found[1])
    assert record["fields"]["contact"]["village"] == "Demoville"
    assert record["fields"]["demographics"]["family_name"] == "Invented"
    assert record["version"] >= int(found[2]) > 0


def test_its_types_hold_in_a_strict_program_that_resolves_as_node_does(installed: Path) -> None:
    (installed / "program.mts").write_text(
        "import { type Honest, honestyOf, type OpenRecord } from '@fieldchart/client'\n"
        "export const word = (record: OpenRecord): Honest => honestyOf(record.status)\n"
        "// @ts-expect-error a status is no word\n"
        "export const wrong = (record: OpenRecord): Honest => record.status\n",
        "utf-8",
    )
    run(
        str(WEB / "node_modules" / ".bin" / "tsc"), "--noEmit", "--strict", "--target", "es2022",
        "--module", "nodenext", "--lib", "es2024,dom,dom.iterable", "program.mts", cwd=installed,
    )  # fmt: skip


@pytest.fixture
def site(installed: Path) -> Iterator[str]:
    """The folder over HTTP, as it lies there."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(installed)))
    Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_a_page_with_an_import_map_imports_it_without_a_bundler(
    installed: Path, site: str, chromium: Browser
) -> None:
    [written] = re.findall(
        r'<script type="importmap">(.*?)</script>', (PACKAGE / "README.md").read_text("utf-8"), re.S
    )
    imports = json.loads(written)["imports"] | {
        f"lib0/{path.stem}": f"/node_modules/lib0/{path.name}"
        for path in (installed / "node_modules" / "lib0").glob("*.js")
    }
    (installed / "page.html").write_text(
        f'<script type="importmap">{json.dumps({"imports": imports})}</script>'
        '<script type="module">import { Device } from "@fieldchart/client";'
        ' const device = await Device.open({origin: "http://clinic.test"});'
        " document.title = `people: ${(await device.people.all()).length}`</script>",
        "utf-8",
    )
    page = chromium.new_page()
    try:
        page.goto(f"{site}/page.html")
        page.wait_for_function("() => document.title === 'people: 0'")
    finally:
        page.close()
