"""Group commit as algebra: however units come in together, it is as if they had come one after another."""

from __future__ import annotations

import asyncio
import tempfile
import threading

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.exc import IntegrityError

from gateway.storage import Database

names = Table("name", MetaData(), Column("name", String(8), primary_key=True))
units = st.tuples(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True), st.sampled_from(["ends", "raises", "late", "shares"])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(units, min_size=1, max_size=6), max_size=4))
def test_groups_are_as_if_one_by_one(groups):
    """Each unit inserts some names and then ends or raises, before or after, by itself or in one call with its neighbours:
    none, or all of its names, ever stay."""
    assert asyncio.run(_together(groups)) == _one_by_one(groups)


def _one_by_one(groups):
    """What has to come of it: answers, and the names that are there at the end."""
    there, answers = set(), []
    for group in groups:
        for wanted, end in group:
            if end == "raises":
                answers.append("RuntimeError")
            elif there & set(wanted):
                answers.append("IntegrityError")
            elif end == "late":
                answers.append("RuntimeError")
            else:
                there |= set(wanted)
                answers.append(sorted(wanted))
    return answers, sorted(there)


async def _together(groups):
    """Each group is handed in while the writer is busy, so that it is one."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/admit.db")
        try:
            await database.write(names.metadata.create_all)
            answers = []
            for group in groups:
                go_on = threading.Event()
                busy = asyncio.ensure_future(database.write(lambda _, go_on=go_on: go_on.wait(240)))
                waiting = [asyncio.ensure_future(_written(database, *unit)) for unit in group]
                await asyncio.sleep(0)
                go_on.set()
                assert await busy
                answers += [_named(answer) for answer in await asyncio.gather(*waiting, return_exceptions=True)]
            there = await database.read(lambda connection: sorted(connection.scalars(select(names.c.name))))
            return answers, there
        finally:
            await database.close()


def _written(database, wanted, end):
    return database.write_each(_shared, wanted) if end == "shares" else database.write(_unit(wanted, end))


def _shared(connection, items):
    connection.execute(names.insert(), [{"name": name} for wanted in items for name in wanted])
    return [sorted(wanted) for wanted in items]


def _unit(wanted, end):
    def unit(connection):
        if end == "raises":
            raise RuntimeError
        connection.execute(names.insert(), [{"name": name} for name in wanted])
        if end == "late":
            raise RuntimeError
        return sorted(wanted)

    return unit


def _named(answer):
    return type(answer).__name__ if isinstance(answer, (RuntimeError, IntegrityError)) else answer
