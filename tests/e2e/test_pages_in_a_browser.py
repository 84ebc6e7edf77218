"""The pages in a real Chromium: usable by keyboard alone, without scripts, in light and dark, on a small screen; never by others."""

from __future__ import annotations

import asyncio

import pytest

from policies import Outcome
from tests.e2e.browser import a_served_house
from tests.integration.gateway.house import REPOSITORY, TOKEN
from tests.servers.need import need

pytestmark = [pytest.mark.server("chromium")]
HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\" ' & {{ 7*7 }} \u202eevil\u202c {% raw %}"


async def judged(served, head, *, title="Add a cache", labels=()):
    """A change with a decision: denied, or admitted with a label."""
    key = served.house.forge.open_change(REPOSITORY, head=head, files={head: "1"}, title=title, labels=list(labels))
    await served.house.deliver()
    decision = await served.house.decided(key, lambda d: d.outcome is (Outcome.ADMITTED if labels else Outcome.DENIED))
    return key, decision


async def every_page(served):
    """Paths of one page of each kind."""
    key, decision = await judged(served, "denied")
    await judged(served, "fine", labels=["bug"])
    workflow = decision.change.workflow_id
    change = f"/changes/work/{REPOSITORY}/{key.number}"
    lists = ["/", "/changes", "/changes?state=all&outcome=denied", "/submissions", "/targets", "/workflows", "/dead-letters"]
    return [*lists, change, f"/decisions/{decision.id}", f"/workflows/{workflow}", "/decisions/nothing"]


async def focused(page):
    """What the keyboard is at: its text."""
    return await page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")


async def enter(page):
    """Press Enter, and be where that leads."""
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def tab_to(page, text):
    """Press Tab until it is reached, as somebody without a mouse would."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if text in await focused(page):
            return
    raise AssertionError(f"the keyboard never reached {text!r}")


def test_a_keyboard_is_enough(tmp_path):
    """Sign in, find the change that is denied, read why, have it judged again and let it through: no mouse."""

    async def story():
        async with a_served_house(tmp_path) as served:
            key, _ = await judged(served, "work")
            page = await served.page(signed_in=False)
            await page.keyboard.press("Tab")
            assert await focused(page) == "Skip to content"
            await tab_to(page, "token")
            await page.keyboard.type(TOKEN)
            await enter(page)
            assert "How things stand" in await page.inner_text("main")
            await tab_to(page, f"{REPOSITORY}#{key.number}")
            await enter(page)
            assert "no label" in await page.inner_text("main")
            await tab_to(page, "Judge it again")
            await enter(page)
            await tab_to(page, "Let it through in spite of this")
            await page.keyboard.press("Enter")
            await tab_to(page, "reason")
            await page.keyboard.type("the shop is down")
            await tab_to(page, "Override")
            await enter(page)
            assert "Overridden by" in await page.inner_text("main")
            assert "the shop is down" in await page.inner_text("main")
            assert served.complaints == []

    asyncio.run(story())


def test_nothing_needs_a_script(tmp_path):
    """With scripts switched off every page is whole, and links and buttons work."""

    async def story():
        async with a_served_house(tmp_path) as served:
            _, decision = await judged(served, "work")
            page = await served.page(java_script_enabled=False)
            await page.get_by_role("link", name="Changes", exact=True).click()
            await page.get_by_label("Outcome").select_option("denied")
            await page.get_by_role("button", name="Show").click()
            await page.get_by_role("link", name=f"{REPOSITORY}#").click()
            await page.get_by_role("link", name="denied").first.click()
            assert page.url == f"{served.url}/decisions/{decision.id}"
            await page.get_by_text("Read the rule").click()
            assert 'deny contains "no label"' in await page.inner_text("main")
            await page.get_by_role("link", name="read them").click()
            assert '"labels":[]' in await page.content()

    asyncio.run(story())


def test_what_people_write_is_never_run(tmp_path):
    """A title of HTML, template code and marks that turn text round is shown as it was written, on every page that shows it."""

    async def story():
        async with a_served_house(tmp_path) as served:
            key, decision = await judged(served, "work", title=HOSTILE)
            for path in ("/", "/changes", f"/changes/work/{REPOSITORY}/{key.number}", f"/decisions/{decision.id}"):
                page = await served.page(path)
                assert "<script>window.pwned=1</script>" in await page.inner_text("main"), path
                assert await page.evaluate("window.pwned") is None, path
            assert served.complaints == []

    asyncio.run(story())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_sound_for_screen_readers_and_eyes(tmp_path, scheme):
    """axe finds nothing serious on any page, in light and in dark; nothing is wider than a small phone."""
    axe = need("axe-core").read_text()

    async def story():
        found = {}
        async with a_served_house(tmp_path) as served:
            page = await served.page(color_scheme=scheme, viewport={"width": 360, "height": 740})
            for path in await every_page(served):
                await page.goto(served.url + path)
                await page.evaluate(axe)
                result = await page.evaluate("axe.run()")
                assert result["passes"], path
                grave = [item for item in result["violations"] if item["impact"] in {"serious", "critical"}]
                if grave:
                    found[path] = [(item["id"], [node["html"] for node in item["nodes"]][:3]) for item in grave]
                wide = await page.evaluate("document.documentElement.scrollWidth")
                if wide > 360:
                    found[f"{path} is too wide"] = wide
        assert found == {}

    asyncio.run(story())


def test_a_page_says_nothing_to_those_who_have_not_signed_in(tmp_path):
    """A decision's link shows the outcome and what to do, and no facts; lists ask for a token."""

    async def story():
        async with a_served_house(tmp_path) as served:
            key, decision = await judged(served, "work")
            page = await served.page(f"/decisions/{decision.id}", signed_in=False)
            text = await page.inner_text("main")
            assert "no label" in text
            assert "Read the rule" not in text
            assert await page.get_by_role("link", name="read them").count() == 0
            for path in ("/", "/changes", f"/changes/work/{REPOSITORY}/{key.number}", "/workflows", "/dead-letters", "/submissions"):
                await page.goto(served.url + path)
                assert await page.get_by_label("Token").count() == 1, path
                assert REPOSITORY not in await page.inner_text("main"), path

    asyncio.run(story())
