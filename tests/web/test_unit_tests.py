"""The checks of the web app itself: strict types, and vitest for sync core, words, pure parts."""

import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
BIN = WEB / "node_modules" / ".bin"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (BIN / "vitest").exists(),
    reason="web: no node_modules; run `npm ci` there",
)


def run(*command: str) -> None:
    done = subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_vitest() -> None:
    run(str(BIN / "vitest"), "run", "--reporter=dot")


def test_types_of_the_app() -> None:
    run(str(BIN / "tsc"), "--noEmit")


def test_the_client_package_builds_by_itself(tmp_path: Path) -> None:
    run(str(BIN / "tsc"), "-p", "src/sync/tsconfig.json", "--outDir", str(tmp_path))

    assert (tmp_path / "index.js").is_file()
    assert (tmp_path / "index.d.ts").is_file()


def test_the_client_package_knows_no_user_interface() -> None:
    sources = [path.read_text("utf-8") for path in (WEB / "src" / "sync").glob("*.ts")]

    assert sources
    assert not [text for text in sources if "react" in text.lower() and "from 'react" in text]
    assert not [
        text for text in sources if "navigator.onLine" in text.replace("`navigator.onLine`", "")
    ]
