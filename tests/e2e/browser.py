"""A real Chromium on a real gateway: what people see, with the keyboard, without scripts, in the dark, on a small screen.

Chromium is the system's own; Playwright drives it. The gateway runs in this process and is served over loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.integration.gateway.house import TOKEN, House, a_house
from tests.servers.need import need
from tests.servers.ports import free_port


@dataclass(slots=True)
class Served:
    """A house with an address, and a browser in front of it. complaints: what any page's console or scripts said."""

    house: House
    url: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def page(self, path: str = "/", *, signed_in: bool = True, **looks: Any) -> Page:
        """A page in a browser of its own. looks: Playwright's, such as `color_scheme` or `java_script_enabled`."""
        context = await self.browser.new_context(**looks)
        page = await context.new_page()
        page.on("console", lambda message: self._heard(page, message))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"{page.url}: dialog {dialog.message}"))
        if signed_in:
            await page.goto(f"{self.url}/")
            await page.get_by_label("Token").fill(TOKEN)
            await page.get_by_role("button").click()
        await page.goto(f"{self.url}{path}")
        return page

    def _heard(self, page: Page, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{page.url}: {message.type}: {message.text}")


@asynccontextmanager
async def a_served_house(folder: Path, **settings: Any) -> AsyncIterator[Served]:
    """As `a_house`, on a port, with a browser."""
    chromium = need("chromium")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with a_house(folder, public_url=url, **settings) as house, _listening(house, port), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield Served(house, url, browser)
        finally:
            await browser.close()


@asynccontextmanager
async def _listening(house: House, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(house.gateway.app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await serving
