"""The record grows for years: what is asked every second must not read all of it. On 2,000 decisions, on every database."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.storage import Database, DecisionFilter
from gateway.storage.columns import to_ms
from gateway.storage.cursor import write_cursor
from gateway.storage.keys import head_key
from gateway.storage.migrations import migrate
from gateway.storage.sql import SqlStorage, changes, decisions, listing
from gateway.storage.sql.tables import decisions as decision_table
from policies.model import Outcome
from tests.contract.storage.builders import NOON, a_decision, a_ref, a_tracked, a_verdict, some_facts
from tests.contract.storage.conftest import FRESH, fresh_sqlite

pytestmark = pytest.mark.anyio
COUNT = 2000
OUTCOMES = list(Outcome)


def decision_number(number: int):
    ref = a_ref(number=number % 50, repository=f"acme/shop-{number % 20}", connection="home" if number % 10 == 3 else "work")
    return a_decision(id=f"d{number}", change=ref, at=NOON + timedelta(seconds=number), verdict=a_verdict(OUTCOMES[number % 4]))


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def filled(request, tmp_path_factory):
    """2,000 decisions on 100 changes of 20 repositories, written without the ceremony, once for all these tests."""
    folder = tmp_path_factory.mktemp("plans")
    with fresh_sqlite(folder) if request.param == "sqlite" else FRESH[request.param]() as url:
        database = Database(url)
        migrate(database)
        facts = some_facts()
        made = [decision_number(number) for number in range(COUNT)]
        tracked = {decision.change.workflow_id: a_tracked(decision) for decision in made}
        with database.transaction() as connection:
            connection.execute(decision_table.insert(), [decisions.row_of(decision, facts) for decision in made])
            for change in tracked.values():
                changes.put_change(connection, change)
        with database.transaction() as connection:
            for table in ("decision", "tracked_change"):
                connection.execute(text(f"ANALYZE TABLE {table}" if database.dialect == "mysql" else f"ANALYZE {table}"))
        yield database, made
        asyncio.run(database.close())


FILTERS = {
    "everything": {},
    "connection": {"connection": "home"},
    "repository": {"repository": "ACME/shop-7"},
    "repository_of_a_connection": {"repository": "acme/shop-7", "connection": "work"},
    "change": {"connection": "work", "repository": "acme/shop-7", "number": 7},
    "outcome": {"outcome": Outcome.HELD},
    "day": {"since": NOON + timedelta(seconds=500), "until": NOON + timedelta(seconds=900)},
    "repository_and_outcome": {"repository": "acme/shop-4", "outcome": Outcome.ADMITTED},
}


@pytest.mark.parametrize("fields", FILTERS.values(), ids=FILTERS.keys())
async def test_filtered_pages_are_what_filtering_everything_gives(filled, fields):
    """Walked page by page, each match once, newest first."""
    database, made = filled
    storage = SqlStorage(database)
    wanted = [decision.id for decision in reversed(made) if _matches(decision, **fields)]
    assert wanted
    found, cursor = [], None
    while True:
        page = await storage.decisions(DecisionFilter(**fields), limit=90, cursor=cursor)
        found += [decision.id for decision in page.decisions]
        if (cursor := page.cursor) is None:
            break
    assert found == wanted


@pytest.mark.parametrize("fields", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("later", [False, True], ids=["first_page", "later_page"])
async def test_page_is_read_from_an_index(filled, fields, later):
    """The first page and one far back: neither reads the table from end to end."""
    database, _ = filled
    cursor = write_cursor(to_ms(NOON + timedelta(seconds=800)), 10**9) if later else None
    query = listing.page_query(DecisionFilter(**fields), limit=51, cursor=cursor)
    plan = await _assert_uses_index(database, query, {}, "decision")
    # a change has few decisions: those may be sorted; everything else has to come in order, or a page would cost all of it
    assert "number" in fields or not any(step["sorts"] for step in plan), plan


async def test_changes_of_a_head_are_read_from_an_index(filled):
    """Asked for each report."""
    database, _ = filled
    await _assert_uses_index(database, changes.WITH_HEAD, {"head_key": head_key("work", "12", "a" * 40 + "x")}, "tracked_change")


async def test_open_changes_are_read_from_an_index(filled):
    """The front page: one state, newest first."""
    database, _ = filled
    await _assert_uses_index(database, changes.list_query("open", 20), {}, "tracked_change")


async def test_last_decision_of_a_change_is_read_from_an_index(filled):
    """Asked for each judgement."""
    database, made = filled
    row = decisions.row_of(made[0], some_facts())
    await _assert_uses_index(database, decisions.LAST, {"change_key": row["change_key"], "facts": row["facts"]}, "decision")


async def _assert_uses_index(database, query, values, table):
    plan = await database.read(lambda connection: _plan(connection, query, values))
    steps = [step for step in plan if step["table"] == table]
    assert steps, plan
    assert all(step["index"] for step in steps), plan
    return plan


def _plan(connection, query, values):
    """Each access of a table: which index it uses, if any."""
    dialect = connection.dialect
    compiled = query.params(values).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    sql = str(compiled).replace("%%", "%")
    match dialect.name:
        case "sqlite":
            return [_sqlite_step(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
        case "postgresql":
            # with so few rows it would rather sort: asked not to, it must find an index that has the order already
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
            (tree,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}").scalar_one()
            return list(_postgresql_steps(tree["Plan"]))
        case _:
            return list(_mysql_steps(json.loads(connection.exec_driver_sql(f"EXPLAIN FORMAT=JSON {sql}").scalar_one())))


def _sqlite_step(text):
    """`SEARCH decision USING INDEX name (…)`; a SCAN that uses an index walks it in order and stops at the limit."""
    words = text.split()
    return {"table": words[1] if words[0] in {"SCAN", "SEARCH"} else None, "index": "USING" in words, "sorts": "TEMP" in words}


def _postgresql_steps(node):
    kind = node["Node Type"]
    yield {"table": node.get("Relation Name"), "index": kind != "Seq Scan", "sorts": kind == "Sort"}
    for child in node.get("Plans", ()):
        yield from _postgresql_steps(child)


def _mysql_steps(tree):
    if isinstance(tree, dict):
        yield {"table": tree.get("table_name"), "index": tree.get("access_type") != "ALL", "sorts": "filesort" in tree}
        for child in tree.values():
            yield from _mysql_steps(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _mysql_steps(child)


def _matches(decision, connection=None, repository=None, number=None, outcome=None, since=None, until=None):
    return (
        connection in {None, decision.change.connection}
        and (repository is None or repository.lower() == decision.change.repository.lower())
        and number in {None, decision.change.number}
        and outcome in {None, decision.outcome}
        and (since is None or decision.at >= since)
        and (until is None or decision.at < until)
    )
