"""`make screenshots`: the pictures in the README, taken of the demo's own pages in the system's Chromium."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

from tests.e2e.process import eventually
from tests.servers.catalogue import server
from tests.servers.ports import free_port

FOLDER = Path(__file__).parent.parent / "docs" / "pages"
_SIZE = {"width": 1100, "height": 820}


def main() -> int:
    chromium = server("chromium").path()
    if chromium is None:
        print(f"Chromium is not here: {server('chromium').how_to_get}", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with tempfile.TemporaryFile() as output:
        demo = subprocess.Popen([sys.executable, "-m", "gateway", "demo", "--port", str(port)], stdout=output, stderr=output)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport=_SIZE, color_scheme="light")
                eventually(lambda: _finished(page, f"http://127.0.0.1:{port}"), "the demo to have shown everything", seconds=120)
                page.screenshot(path=FOLDER / "overview-light.png")
                page.emulate_media(color_scheme="dark")
                page.locator("table a.outcome.denied").first.click()
                page.screenshot(path=FOLDER / "decision-dark.png")
                browser.close()
        finally:
            demo.terminate()
            demo.wait(30)
    return 0


def _finished(page: Page, url: str) -> bool:
    """Decisions of every outcome are listed."""
    try:
        page.goto(url)
    except Error:  # the demo has not begun to listen
        return False
    listed = set(page.locator("table a.outcome").all_inner_texts())
    return listed >= {"admitted", "denied", "held", "undecided"}


if __name__ == "__main__":
    sys.exit(main())
