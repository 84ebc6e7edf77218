"""A fact that is not there is never taken for none: whoever may look at it is undecided, whoever does not comes to the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from policies.bundles.cases import a_document, read_cases
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_folder
from policies.decide import Bench, decide
from policies.document import request_from_document
from policies.engines.opa_library import OpaLibrary
from policies.footprint import footprints
from policies.model import MAY_BE_ABSENT, ChangeFacts, Outcome, Reason
from policies.relations.absent import NoRelations
from providers.vcs import MAY_BE_LEFT_OUT
from tests.contract.bundles.bundles import a_bundle

STARTERS = sorted(manifest.parent for manifest in (Path(__file__).parents[3] / "policies" / "starters").glob("*/bundle.yaml"))
DRAWN = 20


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def engine(loop):
    engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
    yield engine
    loop.run(engine.close())


class Related:
    """Answers as a case says."""

    def __init__(self, case):
        self.related = case.related or frozenset()

    async def answers(self, questions, *, at, given=None):
        return {question: question in self.related for question in questions}


def without(request, facts):
    return replace(request, thing=ChangeFacts(document={key: value for key, value in request.thing.document.items() if key not in facts}))


def of_facts(verdict):
    """The policies that are undecided because of what is not there."""
    return {fault.policy for fault in verdict.faults if fault.reason is Reason.FACTS_MISSING}


def test_a_forge_leaves_out_what_policies_do_without():
    """One list, written on both sides of a wall."""
    assert MAY_BE_LEFT_OUT == MAY_BE_ABSENT


@pytest.mark.parametrize("folder", STARTERS, ids=[folder.name for folder in STARTERS])
def test_absent_facts_never_admit(folder, loop, engine):
    """Any of the facts left out of a starter's cases: the same verdict, or undecided; so what was refused stays refused."""
    bundle = loop.run(checked_bundle(read_folder(folder), engine, run_tests=False))
    cases = [case for case in read_cases(bundle) if isinstance(case.request.thing, ChangeFacts)]
    followed = loop.run(footprints(bundle, engine))

    async def known(bundle, *, fair_share=""):
        return followed

    source, faults = random.Random(folder.name), 0
    for _ in range(DRAWN if cases else 0):
        case = source.choice(cases)
        bench = Bench(engine=engine, relations=Related(case), footprints=known)
        absent = frozenset(source.sample(sorted(MAY_BE_ABSENT), source.randint(1, 3)))
        whole = loop.run(decide(case.request, [bundle], bench)).verdict
        partial = loop.run(decide(without(case.request, absent), [bundle], bench)).verdict
        assert partial == whole or of_facts(partial), (case.name, absent)
        assert partial.outcome is not Outcome.ADMITTED or whole.outcome is Outcome.ADMITTED
        faults += bool(of_facts(partial))
    assert faults < DRAWN


WAYS = {
    "says its name": "deny contains 1 if count(input.change.comments) > 0",
    "a computed name": 'deny contains 1 if { name := concat("", ["com", "ments"]); count(input.change[name]) > 0 }',
    "a walk": 'deny contains 1 if { walk(input, [path, value]); value == "veto" }',
    "only in a warning": 'deny contains 1 if false\n\nwarn contains 1 if input.change.comments[_].body == "veto"',
    "only in a question": 'deny contains 1 if false\n\nquestions contains admit.question(input.change.comments[_].user.ref, "a", "b")',
}  # fmt: skip


@pytest.mark.parametrize("rego", WAYS.values(), ids=WAYS)
def test_who_may_look_at_what_is_not_there_is_undecided(rego, loop, engine):
    """By whatever way, and whatever it would do with it; the message names the policy and the facts."""
    module = "package merge.size\n\nimport data.admit\n\n" + rego.replace("; ", "\n").replace("{ ", "{\n").replace(" }", "\n}") + "\n"
    bundle = loop.run(checked_bundle(a_bundle({"size.rego": module, "size_test.rego": None}), engine))
    request = without(request_from_document(a_document()), {"comments"})
    verdict = loop.run(decide(request, [bundle], Bench(engine=engine, relations=NoRelations()))).verdict
    assert verdict.outcome is Outcome.UNDECIDED
    assert [fault.message for fault in verdict.faults] == [
        "policy acme/merge.size may look at change.comments, and these facts do not have that"
    ]
