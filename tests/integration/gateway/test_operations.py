"""What operators look at: metrics and the dashboard made of them, the log, and a page where there is nothing."""

from __future__ import annotations

import asyncio
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import structlog

from gateway.cli.edge import configure_logs
from gateway.storage import DecisionFilter
from policies import Outcome
from tests.integration.gateway.house import REPOSITORY, a_house

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "admittance.json"


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def sample(text, name, **labels):
    """The value of one sample of /metrics; 0 where there is none yet."""
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
            return float(found[3])
    return 0.0


def test_every_metric_of_the_dashboard_is_on_the_metrics_page(tmp_path):
    """With the labels it is asked by."""
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            await house.deliver()
            await house.turned((await house.decided(key, lambda d: True)).change.head_sha, "failure")
            return (await house.client.get("/metrics")).text

    shown = run(story())
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", shown, re.MULTILINE))
    # a histogram's buckets, and a counter's name with and without the suffix the text format gives it
    served = set(types) | {f"{name}_bucket" for name, type in types.items() if type == "histogram"} | {f"{name}_total" for name in types}
    names = {name for expression in asked for name in re.findall(r"admit_\w+", expression)}
    assert len(names) > 10
    assert names <= served, names - served
    for expression in asked:
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            (name,) = set(re.findall(r"admit_\w+", expression))
            lines = [line for line in shown.splitlines() if line.startswith(name + "{")]
            wanted = set(labels.replace(" ", "").split(",")) - {"job"}
            assert all(wanted <= set(re.findall(r'(\w+)="', line)) for line in lines), (expression, lines[:1])


def test_what_a_gateway_does_is_counted(tmp_path):
    """Deliveries, decisions, statuses, requests by their route, and merges past the gate."""

    async def story():
        async with a_house(tmp_path) as house:
            before = (await house.client.get("/metrics")).text
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            await house.deliver()
            await house.turned((await house.decided(key, lambda d: True)).change.head_sha, "failure")
            house.forge.merge_outside(key, by="mallory")
            await house.deliver()
            async with asyncio.timeout(240):
                while sample(after := (await house.client.get("/metrics")).text, "admit_bypasses_total", connection="work") <= sample(
                    before, "admit_bypasses_total", connection="work"
                ):
                    await asyncio.sleep(0.02)
            for name, labels in (
                ("admit_deliveries_total", {"connection": "work", "result": "taken"}),
                ("admit_decisions_total", {"outcome": "denied"}),
                ("admit_statuses_posted_total", {"connection": "work", "state": "failure"}),
                ("admit_requests_total", {"method": "POST", "route": "/webhooks/{connection}", "status": "202"}),
                ("admit_judging_seconds_count", {}),
            ):
                assert sample(after, name, **labels) > sample(before, name, **labels), name

    run(story())


def test_open_changes_are_counted_beyond_a_page(tmp_path):
    """However many: a count that stops at two hundred is none."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            storage = house.gateway.services.storage
            (decision,) = (await storage.decisions(DecisionFilter())).decisions
            known = await storage.change("work", REPOSITORY, key.number)
            facts = await storage.blob(decision.input_digest)
            for number in range(1000, 1250):
                ref = replace(known.ref, number=number)
                one = replace(decision, id=f"decision-{number}", change=ref)
                await storage.record_decision(one, facts=facts, change=replace(known, ref=ref), generation=None)
            assert sample((await house.client.get("/metrics")).text, "admit_open_changes", outcome="denied") == 251

    run(story())


def test_a_browser_is_shown_a_page_where_there_is_nothing(tmp_path):
    """Programs get the problem document, and so does the API, whatever it is asked by."""

    async def story():
        async with a_house(tmp_path) as house:
            browser = {"Accept": "text/html,application/xhtml+xml"}
            page = await house.client.get("/nothing/<b>here</b>", headers=browser)
            assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
            assert "There is nothing here" in page.text
            assert "<b>" not in page.text
            assert page.headers["content-security-policy"]
            for path, headers in (("/nothing", {}), ("/v1/nothing", browser), ("/webhooks/nobody", browser)):
                answer = await house.client.get(path, headers=headers)
                assert answer.headers["content-type"] == "application/problem+json", path

    run(story())


def test_a_title_cannot_write_lines_of_the_log(monkeypatch):
    """Whatever it holds, an event is one line of JSON in printable ASCII."""
    hostile = 'x"}\n{"event": "forged"}\r\x1b[2J\u202e\u2028\0\ud800'
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    try:
        configure_logs()
        structlog.get_logger().info("decision recorded", reason=hostile)
    finally:
        structlog.reset_defaults()
    (line,) = written.getvalue().splitlines()
    assert line.isprintable()
    assert line.isascii()
    assert json.loads(line)["reason"] == hostile
