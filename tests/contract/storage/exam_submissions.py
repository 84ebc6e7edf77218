"""What is promised of submissions; and of landings and approvals, which `Storage` itself keeps."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.audit import AuditEvent
from gateway.domain.landing import Landing, Merged
from gateway.domain.submission import Cancellation, SeenRun, Source, Submission, SubmissionId, SubmissionState
from gateway.errors import GenerationMoved, SubmissionMoved
from gateway.storage.submissions import Judged, SubmissionFilter
from policies import Action, Approval, Word
from providers.targets import Run, RunKey, RunState
from tests.contract.storage.builders import NOON, a_bundle, a_decision, a_dispatch, a_tracked, minutes, some_facts

ANA = {"id": "1", "login": "ana", "kind": "user", "ref": "user:work/1"}


def a_judged(number=1, **fields):
    facts = some_facts(number=number)
    decision = a_decision(facts, change=None, action=Action.SUBMIT, workflow="deploy", generation=0, **fields)
    return Judged(decision=decision, facts=facts)


def a_submission(id="s1", judged=None, **fields):
    standard = {
        "id": SubmissionId(id),
        "at": NOON,
        "subject": ANA,
        "via": "api",
        "workflow": "deploy",
        "target": "production",
        "labels": {"environment": "production", "größe": "\0"},
        "source": Source(connection="work", repository="acme/shop", ref="main", sha="a" * 40),
        "key": None,
        "asked": "sha256:1",
        "state": SubmissionState.HELD,
        "decisions": (judged.decision.id,) if judged else (),
        "held_until": NOON + minutes(60),
    }
    return Submission(**{**standard, **fields})


def an_event(**fields):
    return AuditEvent(**{"at": NOON, "who": "ana", "what": "request.approved", "about": "submission:s1", **fields})


class SubmissionsExam:
    async def test_a_submission_is_read_as_it_was_recorded(self, store, storage, outbox):
        """With its decision, its facts, and what it sets going."""
        judged = a_judged()
        submission = a_submission(judged=judged)
        assert await store.record(submission, judged, [a_dispatch(id="go")]) == submission
        assert await store.submission(submission.id) == submission
        assert await storage.decision(judged.decision.id) == judged.decision
        assert await storage.blob(judged.decision.input_digest) == judged.facts
        assert await outbox() == ["go"]
        for nobody in ("s2", "", "\0", "x" * 200):
            assert await store.submission(nobody) is None

    async def test_one_key_of_one_subject_is_one_submission(self, store, storage, outbox):
        """The first stands, and of the second nothing is kept; another subject's key of that name is theirs."""
        first, second = a_judged(1), a_judged(2)
        one = await store.record(a_submission("s1", first, key="k"), first, [a_dispatch(id="go")])
        assert await store.record(a_submission("s2", second, key="k"), second, [a_dispatch(id="never")]) == one
        assert await store.submission("s2") is None
        assert await storage.decision(second.decision.id) is None
        assert await outbox() == ["go"]
        assert await store.asked_under("user:work/1", "k") == one
        assert await store.asked_under("user:work/2", "k") is None
        theirs = a_judged(3)
        other = a_submission("s3", theirs, key="k", subject={**ANA, "ref": "user:work/2"})
        assert (await store.record(other, theirs, [])).id == "s3"

    async def test_of_many_at_once_under_one_key_one_is_recorded(self, store, outbox):
        """All are told the same."""
        judged = [a_judged(n) for n in range(10)]
        told = await asyncio.gather(
            *(store.record(a_submission(f"s{n}", j, key="k"), j, [a_dispatch(id=f"go{n}")]) for n, j in enumerate(judged))
        )
        assert len({submission.id for submission in told}) == 1
        assert len(await outbox()) == 1

    async def test_without_a_key_each_is_another(self, store):
        """Nobody said they were the same."""
        for n in range(3):
            judged = a_judged(n)
            await store.record(a_submission(f"s{n}", judged), judged, [])
        assert len((await store.list(SubmissionFilter())).submissions) == 3

    async def test_what_was_judged_by_bundles_that_are_gone_is_not_recorded(self, store, storage, outbox):
        """Neither a new one nor a step of an old one."""
        await storage.activate([a_bundle()], at=NOON, by="ana")
        await storage.activate([a_bundle(revision="r2")], at=NOON, by="ana")
        old = a_judged()
        known = await store.record(a_submission("s1", old), old, [])
        stale = replace(old, decision=replace(old.decision, id="stale", generation=1))
        with pytest.raises(GenerationMoved):
            await store.record(a_submission("s2", stale, key="k"), stale, [a_dispatch(id="never")])
        with pytest.raises(GenerationMoved):
            await store.save(known, judged=stale, dispatches=[a_dispatch(id="nor this")])
        assert await store.submission("s2") is None
        assert await store.asked_under("user:work/1", "k") is None
        assert await store.submission("s1") == known
        assert await outbox() == []

    async def test_a_step_is_kept_whole(self, store, storage, outbox):
        """Run, cancellation, times: all of it is read back, with the decision and the audit event of that step."""
        first, again = a_judged(1), a_judged(2)
        known = await store.record(a_submission("s1", first), first, [])
        run = Run(id="r", state=RunState.RUNNING, words="Läuft", message="step 1", url="https://runs.example/r")
        after = replace(
            known,
            state=SubmissionState.RUNNING,
            decisions=(*known.decisions, again.decision.id),
            run_key=RunKey(again.decision.id),
            tried_at=NOON + minutes(1),
            run=SeenRun(run=run, at=NOON + minutes(2)),
            cancellation=Cancellation(by="user:work/1", at=NOON + minutes(3), sent=True),
            updated_at=NOON + minutes(3),
        )
        saved = await store.save(after, judged=again, dispatches=[a_dispatch(id="step")], event=an_event(what="submission.cancelled"))
        assert saved == replace(after, version=2)
        assert await store.submission("s1") == saved
        assert await storage.decision(again.decision.id) == again.decision
        assert [event.what for event in await storage.audit_events(about="submission:s1")] == ["submission.cancelled"]
        assert await outbox() == ["step"]

    async def test_who_read_it_before_somebody_else_wrote_it_changes_nothing(self, store, storage, outbox):
        """Of two that step from one state one is told to look again."""
        judged = a_judged()
        known = await store.record(a_submission("s1", judged), judged, [])
        steps = [store.save(replace(known, target=f"t{n}"), dispatches=[a_dispatch(id=f"d{n}")]) for n in range(6)]
        ends = await asyncio.gather(*steps, return_exceptions=True)
        assert sum(isinstance(end, SubmissionMoved) for end in ends) == 5
        assert len(await outbox()) == 1

    async def test_what_has_not_ended_is_counted_by_how_it_stands(self, store):
        """Also what came to its state later; what has ended is left out."""
        states = [SubmissionState.HELD, SubmissionState.HELD, SubmissionState.RUNNING, SubmissionState.DENIED]
        for number, state in enumerate(states):
            judged = a_judged(number)
            kept = await store.record(a_submission(f"s{number}", judged, state=state), judged, [])
        assert await store.open() == {SubmissionState.HELD: 2, SubmissionState.RUNNING: 1}
        await store.save(replace(kept, state=SubmissionState.ADMITTED))
        assert await store.open() == {SubmissionState.HELD: 2, SubmissionState.RUNNING: 1, SubmissionState.ADMITTED: 1}

    async def test_pages_are_newest_first_and_filtered(self, store):
        """Walked page by page each comes once."""
        for n in range(7):
            judged = a_judged(n)
            state = SubmissionState.HELD if n % 2 else SubmissionState.DENIED
            subject = {**ANA, "ref": f"user:work/{n % 3}"}
            made = a_submission(f"s{n}", judged, at=NOON + minutes(n // 2), state=state, workflow=f"w{n % 2}", subject=subject)
            await store.record(made, judged, [])

        async def ids(limit=2, **filter):
            found, cursor = [], None
            while True:
                page = await store.list(SubmissionFilter(**filter), limit=limit, cursor=cursor)
                found += [submission.id for submission in page.submissions]
                if (cursor := page.cursor) is None:
                    return found

        assert await ids() == ["s6", "s5", "s4", "s3", "s2", "s1", "s0"]
        assert await ids(state=SubmissionState.HELD) == ["s5", "s3", "s1"]
        assert await ids(workflow="w0", state=SubmissionState.HELD) == []
        assert await ids(subject="user:work/0") == ["s6", "s3", "s0"]
        assert await ids(target="production", limit=50) == await ids()
        assert await ids(target="\0") == []
        with pytest.raises(ValueError, match="cursor"):
            await store.list(SubmissionFilter(), cursor="nonsense")


class WordsExam:
    """Of `Storage`: what people said, and where changes landed."""

    async def test_words_are_read_in_the_order_they_were_said(self, storage, outbox):
        """Each with its audit event and what it sets going; about something else there are others."""
        said = {"name": "zoë", "at": NOON, "reason": "\0"}
        words = [
            Approval(user=f"user:work/{n}", word=Word.REFUSED if n else Word.APPROVED, until=NOON + minutes(n), **said) for n in range(3)
        ]
        for n, word in enumerate(words):
            await storage.record_approval("submission:s1", word, [a_dispatch(id=f"d{n}")], event=an_event())
        assert await storage.approvals("submission:s1") == tuple(words)
        assert await storage.approvals("submission:S1") == ()
        assert len(await storage.audit_events(about="submission:s1")) == 3
        assert await outbox() == ["d0", "d1", "d2"]

    async def test_a_landing_is_found_by_its_commit_and_stays_as_it_was_noticed(self, storage):
        """On every connection that has a repository of that name, whatever its case."""
        here = Landing(
            connection="work",
            repository="acme/Shop",
            number=7,
            sha="c" * 40,
            head_sha="a" * 40,
            target_branch="main",
            merged=Merged.GATE,
            decision="d1",
            at=NOON,
        )
        there = replace(here, connection="home", merged=Merged.BYPASS, decision=None)
        for landing in (here, there, replace(here, merged=Merged.BYPASS, at=NOON + minutes(1))):
            await storage.track_change(a_tracked(state="merged"), landing=landing)
        assert await storage.landings("ACME/shop", "c" * 40) == [there, here]
        assert await storage.landings("acme/shop", "a" * 40) == []
