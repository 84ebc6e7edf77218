"""What is promised of the pages of the record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.storage import DecisionFilter
from policies.model import Action, Outcome
from tests.contract.storage.builders import NOON, a_ref, a_verdict, minutes, recorded


class ListingExam:
    async def test_empty_record_is_one_empty_page(self, storage):
        """Nothing, and nothing more."""
        page = await storage.decisions(DecisionFilter())
        assert page.decisions == ()
        assert page.cursor is None

    async def test_newest_first_with_confirmations(self, storage):
        """By the time they were made; a confirmed one stays in its place and says when."""
        old = await recorded(storage, change=a_ref(number=1), at=NOON)
        new = await recorded(storage, change=a_ref(number=2), at=NOON + minutes(1))
        await recorded(storage, change=a_ref(number=1), at=NOON + minutes(2))
        page = await storage.decisions(DecisionFilter())
        assert [decision.id for decision in page.decisions] == [new.id, old.id]
        assert page.decisions[1].confirmed_at == NOON + minutes(2)

    async def test_decisions_of_one_moment_are_all_shown_once(self, storage):
        """Pages of two over seven of the same millisecond."""
        ids = [(await recorded(storage, change=a_ref(number=number))).id for number in range(7)]
        assert await _walk(storage, limit=2) == ids[::-1]

    async def test_pages_stand_still_while_decisions_arrive(self, storage):
        """What a cursor leads to is what followed when it was given out; new ones come before it."""
        ids = [(await recorded(storage, change=a_ref(number=n), at=NOON + minutes(n))).id for n in range(6)]
        page = await storage.decisions(DecisionFilter(), limit=3)
        for number in range(6, 12):
            await recorded(storage, change=a_ref(number=number), at=NOON + minutes(number))
        rest = await storage.decisions(DecisionFilter(), limit=3, cursor=page.cursor)
        assert [d.id for d in (*page.decisions, *rest.decisions)] == ids[::-1]

    async def test_full_last_page_has_no_cursor(self, storage):
        """A cursor means that something follows."""
        for number in range(4):
            await recorded(storage, change=a_ref(number=number))
        page = await storage.decisions(DecisionFilter(), limit=2)
        assert page.cursor is not None
        assert (await storage.decisions(DecisionFilter(), limit=2, cursor=page.cursor)).cursor is None

    @pytest.mark.parametrize(
        "cursor", ["", "x", "0", "\0", "ü", "ZDE6MTox=", "ZDE6MTp4", "Q1R", "ZDE6MDE6MQ", "a" * 10_000, "'; drop table decision; --"]
    )
    async def test_cursor_nobody_gave_out_is_refused(self, storage, cursor):
        """Not taken for the first page, and never a database's error."""
        with pytest.raises(ValueError, match="cursor"):
            await storage.decisions(DecisionFilter(), cursor=cursor)

    async def test_filters(self, storage):
        """Each alone and all together, against the same six decisions."""
        made = {
            "denied": await recorded(storage, change=a_ref(number=1), at=NOON),
            "admitted": await recorded(storage, change=a_ref(number=2), at=NOON + minutes(1), verdict=a_verdict(Outcome.ADMITTED)),
            "elsewhere": await recorded(storage, change=a_ref(number=1, repository="acme/shop-two"), at=NOON + minutes(2)),
            "home": await recorded(storage, change=a_ref(number=1, connection="home"), at=NOON + minutes(3)),
            "workflow": await recorded(storage, change=None, action=Action.SUBMIT, workflow="deploy", at=NOON + minutes(4)),
            "again": await recorded(storage, change=a_ref(number=1), at=NOON + minutes(5), verdict=a_verdict(Outcome.HELD)),
        }
        names = {decision.id: name for name, decision in made.items()}

        async def found(**filter):
            page = await storage.decisions(DecisionFilter(**filter))
            return [names[decision.id] for decision in page.decisions]

        assert await found() == ["again", "workflow", "home", "elsewhere", "admitted", "denied"]
        assert await found(connection="home") == ["home"]
        assert await found(repository="ACME/sHOP") == ["again", "home", "admitted", "denied"]
        assert await found(number=2) == ["admitted"]
        assert await found(outcome=Outcome.HELD) == ["again"]
        assert await found(since=NOON + minutes(4)) == ["again", "workflow"]
        assert await found(until=NOON + minutes(1)) == ["denied"]
        assert await found(connection="work", repository="acme/shop", number=1) == ["again", "denied"]
        everything = {"connection": "work", "repository": "acme/shop", "number": 1, "outcome": Outcome.DENIED}
        assert await found(**everything, since=NOON - minutes(1), until=NOON + minutes(1)) == ["denied"]

    @pytest.mark.parametrize(
        "filter",
        [
            {"connection": "a\0b"},
            {"connection": "\ud800"},
            {"connection": "x" * 5000},
            {"connection": "WORK"},
            {"repository": "acme/shop%"},
            {"repository": "a\0"},
            {"number": 2**80},
            {"number": -1},
        ],
        ids=repr,
    )
    async def test_filter_nothing_can_match_finds_nothing(self, storage, filter):
        """An answer, not a database's error, and no wildcard."""
        await recorded(storage)
        assert (await storage.decisions(DecisionFilter(**filter))).decisions == ()

    async def test_filtered_pages_meet_every_match_once(self, storage):
        """Filter and cursor together."""
        wanted = []
        for number in range(20):
            outcome = Outcome.DENIED if number % 3 else Outcome.ADMITTED
            decision = await recorded(storage, change=a_ref(number=number), at=NOON + timedelta(seconds=number), verdict=a_verdict(outcome))
            if outcome is Outcome.DENIED:
                wanted.append(decision.id)
        assert await _walk(storage, limit=3, filter=DecisionFilter(outcome=Outcome.DENIED)) == wanted[::-1]


async def _walk(storage, *, limit, filter=None):
    """The ids of all pages."""
    found, cursor = [], None
    while True:
        page = await storage.decisions(filter or DecisionFilter(), limit=limit, cursor=cursor)
        assert len(page.decisions) <= limit
        found += [decision.id for decision in page.decisions]
        if page.cursor is None:
            return found
        cursor = page.cursor
