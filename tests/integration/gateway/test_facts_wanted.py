"""Facts no policy looks at are not gathered, and what was not gathered admits nobody."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.operations.evidence import ReadEvidence
from gateway.operations.facts_wanted import WHOLE, LeftOut
from gateway.operations.replay import Replay, Same
from gateway.operations.what_if import WhatIf
from gateway.storage import DecisionFilter
from policies import Outcome, Reason
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_folder
from policies.engines.opa_library import OpaLibrary
from policies.relations.absent import NoRelations
from providers.vcs import MAY_BE_LEFT_OUT
from providers.vcs.memory import MemoryForge
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder
from tests.integration.gateway.sides import Side

VETO = 'package merge.{}\n\ndeny contains "veto" if {{\n\tsome comment in input.change.comments\n\tcomment.body == "veto"\n}}\n'
LABEL = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
OWNED = 'package merge.label\n\ndeny contains "owned" if count(input.code_owners.paths) > 0\n'
MANIFEST = "name: own\npolicies:\n  - {package: merge.own, match: {action: merge}}\n"


class AskedForge(MemoryForge):
    """A forge that knows what was to be left out of each reading."""

    def __init__(self):
        super().__init__(connection="work", webhook_secrets=(SECRET,))
        self.left = []

    async def read_change(self, key, *, not_before=None, leave_out=frozenset()):
        self.left.append(leave_out)
        return await super().read_change(key, not_before=not_before, leave_out=leave_out)


@asynccontextmanager
async def judging(tmp_path, rego, **more):
    """A side that judges by this policy, and its forge with a change that has a label and a veto."""
    forge = AskedForge()
    forge.create_repository(REPOSITORY)
    engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
    try:
        side = Side(forge, engine, skipping=True)
        await side.use([a_bundle_folder(tmp_path, rego, **more)])
        key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana", labels=["bug"])
        forge.comment(key, "veto", by="bob")
        yield side, forge, key
    finally:
        await engine.close()
        await forge.close()


def test_what_nobody_looks_at_is_neither_read_nor_recorded(tmp_path):
    """The record has no such fact, rather than an empty one; it is replayed to the same, and by a policy that looks undecided."""

    async def story():
        async with judging(tmp_path, LABEL) as (side, forge, key):
            decision = await side.judge("work", key)
            assert (decision.outcome, forge.left) == (Outcome.ADMITTED, [MAY_BE_LEFT_OUT])
            recorded = json.loads(await side.storage.blob(decision.input_digest))["change"]
            assert "labels" in recorded
            assert not recorded.keys() & MAY_BE_LEFT_OUT
            reading = ReadEvidence(storage=side.storage, in_force=side.in_force)
            assert await Replay(evidence=reading, engine=side.engine)(decision) == Same()
            looking = await checked_bundle(read_folder(a_bundle_folder(tmp_path / "what-if", VETO.format("label"))), side.engine)
            verdict = await WhatIf(evidence=reading, engine=side.engine, relations=NoRelations())(decision, looking)
            assert (verdict.outcome, verdict.faults[0].reason) == (Outcome.UNDECIDED, Reason.FACTS_MISSING)

    asyncio.run(story())


def test_bundle_that_looks_at_more_has_it_read(tmp_path):
    """What is stored of an open change lacks it: no verdict is made of that, and the next reading has it."""

    async def story():
        async with judging(tmp_path, LABEL) as (side, forge, key):
            await side.judge("work", key)
            await side.use([a_bundle_folder(tmp_path / "stricter", VETO.format("label"))])
            denied = await side.judge("work", key, touches=frozenset())
            assert [violation.message for violation in denied.verdict.violations] == ["veto"]
            assert forge.left[1:] == [MAY_BE_LEFT_OUT - {"comments"}]
            kept = (await side.storage.decisions(DecisionFilter())).decisions
            assert {decision.outcome for decision in kept} == {Outcome.ADMITTED, Outcome.DENIED}
            await side.use([a_bundle_folder(tmp_path / "laxer", LABEL)])
            assert (await side.judge("work", key, touches=frozenset())).outcome is Outcome.ADMITTED

    asyncio.run(story())


def test_own_policies_of_a_repository_are_given_what_they_look_at(tmp_path):
    """They are known once the change was read without it: it is read whole then, and their deny fires."""

    async def story():
        async with judging(tmp_path, LABEL) as (side, forge, key):
            forge.push(REPOSITORY, "main", {".admit/bundle.yaml": MANIFEST, ".admit/own.rego": VETO.format("own")}, by="olga")
            denied = await side.judge("work", key)
            assert [violation.message for violation in denied.verdict.violations] == ["veto"]
            assert forge.left == [MAY_BE_LEFT_OUT, frozenset()]

    asyncio.run(story())


def test_who_takes_part_is_read_where_code_owners_are(tmp_path):
    """Names in CODEOWNERS are those of reviewers, too."""

    async def story():
        async with judging(tmp_path, OWNED) as (side, forge, key):
            forge.push(REPOSITORY, "main", {".github/CODEOWNERS": "* @bob\n"}, by="olga")
            assert (await side.judge("work", key)).verdict.reason == "owned"
            assert forge.left == [MAY_BE_LEFT_OUT - {"reviews", "requested_reviewers"}]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("match", "left"),
    [
        ('{action: merge, repositories: ["acme/*"]}', MAY_BE_LEFT_OUT - {"comments"}),
        ('{action: merge, repositories: ["elsewhere/*"]}', MAY_BE_LEFT_OUT),
        ("{action: merge, branches: [release]}", MAY_BE_LEFT_OUT - {"comments"}),
    ],
    ids=["it judges them", "it judges others", "it could judge one of them"],
)
def test_policies_that_could_judge_the_change_are_asked(tmp_path, match, left):
    """Those of other repositories want nothing of it; on which branch it lands is not known before it is read."""

    async def story():
        more = f"  - package: merge.veto\n    match: {match}\n"
        folder = a_bundle_folder(tmp_path, LABEL, more=more)
        (folder / "veto.rego").write_text(VETO.format("veto"))
        async with judging(tmp_path / "other", LABEL) as (side, forge, key):
            await side.use([folder])
            await side.judge("work", key)
            assert forge.left == [left]

    asyncio.run(story())


class Mistaken:
    """Says that nobody looks at anything, whatever is in force."""

    async def nobody_reads(self, connection, repository):
        return LeftOut(facts=MAY_BE_LEFT_OUT, repository=repository, generation=1)

    async def is_enough(self, left, found):
        return True


def test_nothing_rests_on_who_is_asked_being_right(tmp_path):
    """Where facts that a policy looks at were left out by mistake it is undecided, and says of what."""

    async def story():
        async with judging(tmp_path, VETO.format("label")) as (side, forge, key):
            mistaken = replace(side.judge, gather=replace(side.judge.gather, facts_wanted=Mistaken()))
            decision = await mistaken("work", key)
            assert (decision.outcome, forge.left) == (Outcome.UNDECIDED, [MAY_BE_LEFT_OUT])
            assert decision.verdict.reason == "policy acme/merge.label may look at change.comments, and these facts do not have that"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("left", "outdated"),
    [
        (LeftOut(facts=frozenset({"comments"}), generation=1), True),
        (LeftOut(facts=frozenset({"comments"}), generation=2), False),
        (WHOLE, False),
    ],
    ids=["others were asked", "the same were asked", "nothing was left out"],
)
def test_who_judges_was_asked_what_it_looks_at(left, outdated):
    """A change that was read for other bundles is not judged by generation 2."""
    assert left.outdated(2) is outdated
