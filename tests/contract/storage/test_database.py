"""What `Database` promises those who stand on it, on every kind of database."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, event, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import DatabaseUnavailable
from gateway.storage import Database

pytestmark = pytest.mark.anyio

notes = Table(
    "note",
    MetaData(),
    Column("name", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("content", LargeBinary),
)


@pytest.fixture
async def database(empty_url):
    """Open, with one table."""
    opened = Database(empty_url, patience=10)
    with opened.transaction() as connection:
        notes.metadata.create_all(connection)
    yield opened
    await opened.close()


@pytest.fixture
async def second(empty_url, database):
    """Another gateway on the same database."""
    opened = Database(empty_url, patience=10)
    yield opened
    await opened.close()


def insert(name: str, number: int = 0, *, fail: BaseException | None = None):
    def unit(connection):
        connection.execute(notes.insert(), {"name": name, "number": number})
        if fail is not None:
            raise fail
        return name

    return unit


def add(name: str, number: int):
    def unit(connection):
        connection.execute(update(notes).where(notes.c.name == name).values(number=notes.c.number + number))

    return unit


def all_notes(connection):
    return {row.name: row.number for row in connection.execute(select(notes.c.name, notes.c.number))}


@contextmanager
def held_writer(database):
    """The writer waits inside a unit of its own, so that whatever is handed in meanwhile becomes one group."""
    begun, go_on = threading.Event(), threading.Event()

    def unit(_):
        begun.set()
        assert go_on.wait(240)

    waiting = asyncio.ensure_future(database.write(unit))
    try:
        yield begun
    finally:
        go_on.set()
    assert waiting is not None


@contextmanager
def counted_commits(database):
    """How often anything was committed."""
    commits = []

    def committed(connection):
        commits.append(connection)

    event.listen(database.engine, "commit", committed)
    yield commits
    event.remove(database.engine, "commit", committed)


async def test_write_is_visible_to_every_reader_once_it_has_returned(database, second):
    """Here and in another gateway."""
    for number in range(20):
        assert await database.write(insert(f"n{number}", number)) == f"n{number}"
        assert (await database.read(all_notes))[f"n{number}"] == number
        assert (await second.read(all_notes))[f"n{number}"] == number


async def test_what_comes_in_together_is_committed_together(database):
    """A hundred units behind a slow one are one commit."""
    with counted_commits(database) as commits:
        with held_writer(database) as begun:
            await asyncio.to_thread(begun.wait, 240)
            waiting = [asyncio.ensure_future(database.write(insert(f"n{number}"))) for number in range(100)]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert len(commits) == 2
    assert len(await database.read(all_notes)) == 100


async def test_unit_that_raises_is_undone_alone(database):
    """Its neighbours in the group stay, its caller gets its own exception, whatever that is."""
    problems = {1: RuntimeError("mine"), 3: KeyboardInterrupt("odd"), 4: asyncio.CancelledError("odder")}
    with held_writer(database) as begun:
        await asyncio.to_thread(begun.wait, 240)
        waiting = [asyncio.ensure_future(_quietly(database.write(insert(f"n{n}", n, fail=problems.get(n))))) for n in range(8)]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting)
    assert answers == [problems.get(n, f"n{n}") for n in range(8)]
    assert sorted(await database.read(all_notes)) == ["n0", "n2", "n5", "n6", "n7"]
    assert await database.write(insert("later")) == "later"


@pytest.mark.parametrize("neighbours", [0, 2])
async def test_unit_that_swallows_a_databases_error_is_not_acknowledged_and_lost(database, neighbours):
    """PostgreSQL has given up on its transaction by then: it hears so. The others undo one statement, and keep the rest."""
    await database.write(insert("taken"))

    def unit(connection):
        insert("mine")(connection)
        with suppress(IntegrityError):
            insert("taken")(connection)

    with held_writer(database) as begun:
        await asyncio.to_thread(begun.wait, 240)
        waiting = [asyncio.ensure_future(database.write(insert(f"n{number}"))) for number in range(neighbours)]
        careless = asyncio.ensure_future(_quietly(database.write(unit)))
        await asyncio.sleep(0)
    acknowledged = await careless is None
    await asyncio.gather(*waiting)
    assert ("mine" in await database.read(all_notes)) == acknowledged
    assert acknowledged == (database.dialect != "postgresql")
    assert len(await database.read(all_notes)) == 1 + neighbours + acknowledged


async def test_exception_no_future_can_carry_reaches_the_caller_as_another(database):
    """A StopIteration would otherwise leave its whole group waiting for ever."""
    with held_writer(database) as begun:
        await asyncio.to_thread(begun.wait, 240)
        odd = asyncio.ensure_future(database.write(insert("odd", fail=StopIteration())))
        neighbour = asyncio.ensure_future(database.write(insert("neighbour")))
        await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await odd
    assert await neighbour == "neighbour"


async def test_single_unit_that_raises_leaves_nothing(database):
    """Without a group there is no savepoint, and it is undone all the same."""
    with pytest.raises(RuntimeError, match="mine"):
        await database.write(insert("gone", fail=RuntimeError("mine")))
    assert await database.read(all_notes) == {}


async def test_key_that_is_there_already_is_tried_twice_and_then_told(database):
    """The second look would have found another gateway's row; a unit that does not look hears of it."""
    await database.write(insert("same"))
    runs = []

    def unit(connection):
        runs.append(connection)
        return insert("same")(connection)

    with held_writer(database) as begun:
        await asyncio.to_thread(begun.wait, 240)
        doubled = asyncio.ensure_future(database.write(unit))
        neighbour = asyncio.ensure_future(database.write(insert("neighbour")))
        await asyncio.sleep(0)
    with pytest.raises(IntegrityError):
        await doubled
    assert await neighbour == "neighbour"
    assert len(runs) == 2


@pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)  # SQLite's writers exclude each other
async def test_row_another_gateway_wrote_between_look_and_write_is_found(database, second):
    """Look, write, collide, look again: the unit answers as if it had come later."""
    collisions = []

    def unit(connection):
        if connection.scalar(select(notes.c.number).where(notes.c.name == "row")) is not None:
            return "found"
        if not collisions:
            collisions.append("other")
            with second.transaction() as other:
                insert("row")(other)
        insert("row")(connection)
        return "written"

    assert await database.write(unit) == "found"


async def test_opposed_orders_of_locking_end_well(database, second):
    """Two gateways that lock two rows in opposite order deadlock, and nobody hears of it."""
    await database.write(insert("a"))
    await database.write(insert("b"))

    def both(first, then):
        def unit(connection):
            add(first, 1)(connection)
            add(then, 1)(connection)

        return unit

    async def many(gateway, *order):
        for _ in range(40):
            await gateway.write(both(*order))

    await asyncio.gather(many(database, "a", "b"), many(second, "b", "a"))
    assert await database.read(all_notes) == {"a": 80, "b": 80}


async def test_counting_by_two_gateways_loses_nothing(database, second):
    """Groups of one and groups of the other take turns."""
    await database.write(insert("sum"))
    await asyncio.gather(*((database, second)[n % 2].write(add("sum", n)) for n in range(200)))
    assert await database.read(all_notes) == {"sum": sum(range(200))}


async def test_reader_is_not_held_up_by_the_writer(database):
    """While a unit has written and not committed, readers see what was before."""
    await database.write(insert("row", 1))
    written, go_on = threading.Event(), threading.Event()

    def unit(connection):
        add("row", 1)(connection)
        written.set()
        assert go_on.wait(240)

    waiting = asyncio.ensure_future(database.write(unit))
    await asyncio.to_thread(written.wait, 240)
    try:
        assert await asyncio.wait_for(database.read(all_notes), 240) == {"row": 1}
    finally:
        go_on.set()
    await waiting
    assert await database.read(all_notes) == {"row": 2}


async def test_caller_that_has_gone_before_its_unit_began_changes_nothing(database):
    """Cancelled in the queue, it is not run."""
    with held_writer(database) as begun:
        await asyncio.to_thread(begun.wait, 240)
        waiting = asyncio.ensure_future(database.write(insert("gone")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await database.write(insert("stays"))
    assert list(await database.read(all_notes)) == ["stays"]


async def test_writer_outlives_a_caller_whose_loop_has_gone(database):
    """The unit is committed although nobody can be told."""

    async def leave():
        begun = threading.Event()

        def unit(connection):
            begun.set()
            return insert("left")(connection)

        waiting = asyncio.ensure_future(database.write(unit))
        await asyncio.to_thread(begun.wait, 240)
        waiting.cancel()

    await asyncio.to_thread(asyncio.run, leave())
    await database.write(insert("next"))
    assert sorted(await database.read(all_notes)) == ["left", "next"]


async def test_missing_table_says_what_to_do(empty_url):
    """Before the migration every answer is that it is needed."""
    opened = Database(empty_url, patience=0)
    try:
        for attempt in (opened.write(insert("x")), opened.read(all_notes)):
            with pytest.raises(DatabaseUnavailable) as caught:
                await attempt
            assert caught.value.advice == "run: admit migrate"
    finally:
        await opened.close()


async def test_complaint_holds_no_statement_and_no_values(empty_url):
    """They may be personal data, and errors go to logs."""
    opened = Database(empty_url, patience=0)
    try:
        with pytest.raises(DatabaseUnavailable) as caught:
            await opened.write(insert("secret-title"))
        assert "secret-title" not in str(caught.value)
        assert "INSERT" not in str(caught.value)
    finally:
        await opened.close()


async def test_closed_database_refuses(database):
    """Nothing is queued that would never run."""
    await database.close()
    for attempt in (database.write(insert("x")), database.read(all_notes)):
        with pytest.raises(DatabaseUnavailable, match="closed"):
            await attempt


async def _quietly(waiting):
    try:
        return await waiting
    except BaseException as problem:
        return problem
