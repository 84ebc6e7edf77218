"""More work than fits: a bounded queue, and a share for everyone."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from policies.errors import EngineBusy, EngineTimedOut
from tests.contract.engines.samples import a_bundle, an_evaluation
from tests.contract.engines.test_faults import FINE, LOOPS

BUNDLE = a_bundle({"loops.rego": LOOPS, "fine.rego": FINE})


def test_a_full_queue_pushes_back(make_engine, run):
    """With when to come back; what is waiting is not given up."""
    engine = make_engine(queue_limit=4, evaluation_deadline=60.0, compile_deadline=60.0, quarantine_after=99, patience=120.0)

    async def scene():
        await engine.compile(BUNDLE)
        blockers = [asyncio.ensure_future(engine.evaluate(an_evaluation(BUNDLE, "loops", deadline=1.0))) for _ in range(2)]
        await asyncio.sleep(0.2)
        waiting = [asyncio.ensure_future(engine.evaluate(an_evaluation(BUNDLE, "fine"))) for _ in range(10)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.gather(*blockers, return_exceptions=True)
        return results

    results = run(scene())
    busy = [each for each in results if isinstance(each, EngineBusy)]
    assert busy
    assert all(each.retry_after >= 1.0 for each in busy)
    assert [each for each in results if not isinstance(each, EngineBusy)] == [{"fine": {"deny": ["no"]}}] * (len(results) - len(busy))


def test_a_looping_repository_does_not_starve_the_others(make_engine, run):
    """A repository with one small evaluation is served after at most one turn of each worker, not after all the loops before it."""
    engine = make_engine(evaluation_deadline=0.5, compile_deadline=60.0, quarantine_after=99, patience=120.0)
    order = []

    async def asked(package, share):
        with contextlib.suppress(EngineTimedOut):
            await engine.evaluate(an_evaluation(BUNDLE, package, fair_share=share))
        order.append(share)

    async def scene():
        await engine.compile(BUNDLE)
        loops = [asyncio.ensure_future(asked("loops", "looping")) for _ in range(6)]
        await asyncio.sleep(0.1)
        await asyncio.gather(*(asked("fine", f"quiet {number}") for number in range(5)))
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    run(scene())
    before_the_last_quiet_one = order[: max(index for index, share in enumerate(order) if share.startswith("quiet"))]
    assert before_the_last_quiet_one.count("looping") <= 3


def test_a_compilation_may_have_a_deadline_of_its_own(make_engine, run):
    """Shorter than the engine's for whom it trusts less; what others compile keeps the engine's."""
    engine = make_engine(compile_deadline=120.0, quarantine_after=99)
    bundle = a_bundle("".join(("package slow\n\n", *(f"r{n} := x if {{ x := {n}; x > {n - 1} }}\n" for n in range(1500)))))

    async def scene():
        with pytest.raises(EngineTimedOut):
            await engine.compile(bundle, fair_share="theirs", deadline=0.001)
        await engine.compile(bundle)

    run(scene())


def test_compilations_take_turns_with_everything_else(make_engine, run):
    """One repository that has many bundles compiled does not keep another's single one waiting until all of them are done."""
    engine = make_engine(compile_deadline=60.0, evaluation_deadline=0.5, quarantine_after=99, patience=120.0)
    order = []

    async def asked(share, bundle):
        await engine.compile(bundle, fair_share=share)
        order.append(share)

    async def scene():
        await engine.compile(BUNDLE)
        loops = [asyncio.ensure_future(engine.evaluate(an_evaluation(BUNDLE, "loops", fair_share="greedy"))) for _ in range(2)]
        many = [asyncio.ensure_future(asked("greedy", a_bundle(f"package p\n\nx := {n}\n"))) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.gather(asked("modest", a_bundle("package p\n\ny := 1\n")), *many)
        await asyncio.gather(*loops, return_exceptions=True)

    run(scene())
    assert order.index("modest") < len(order) - 1


def test_many_at_once_are_each_answered_with_their_own(engine, run):
    """Three hundred evaluations in flight, none gets another's answer."""
    bundle = a_bundle("package p\n\nanswer := input.number * 2\n")

    async def scene():
        return await asyncio.gather(
            *(engine.evaluate(an_evaluation(bundle, "p", document={"number": n}, fair_share=str(n % 7))) for n in range(300))
        )

    assert run(scene()) == [{"p": {"answer": n * 2}} for n in range(300)]


def test_documents_of_megabytes_go_in_and_out_whole(engine, run):
    """However often the socket between takes only a part; small ones beside them are not mixed up."""
    bundle = a_bundle("package p\n\nanswer := [count(input.text), input.text]\n")
    texts = ["x" * 3_000_000, "ü", "🔑" * 400_000, "y" * 1_000_000, ""]

    async def scene():
        return await asyncio.gather(*(engine.evaluate(an_evaluation(bundle, "p", document={"text": text})) for text in texts))

    answers = [answer["p"]["answer"] for answer in run(scene())]
    assert [count for count, _ in answers] == [len(text) for text in texts]
    assert [text for _, text in answers] == texts


def test_a_caller_that_gives_up_leaves_nothing_behind(engine, run):
    """Cancelled while waiting or running: others go on."""
    bundle = a_bundle("package p\n\nanswer := count(numbers.range(1, 200000))\n")

    async def scene():
        await engine.compile(bundle)
        given_up = [asyncio.ensure_future(engine.evaluate(an_evaluation(bundle, "p"))) for _ in range(6)]
        await asyncio.sleep(0.05)
        for each in given_up:
            each.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        return await engine.evaluate(an_evaluation(bundle, "p"))

    assert run(scene()) == {"p": {"answer": 200000}}


def test_a_slow_evaluation_does_not_hold_back_the_answer_before_it(make_engine, run):
    """The quick one is answered while the slow one is still at it."""
    engine = make_engine(evaluation_deadline=60.0, compile_deadline=60.0)

    async def scene():
        for _ in range(3):
            await engine.evaluate(an_evaluation(BUNDLE, "fine"))
        quick = [asyncio.ensure_future(engine.evaluate(an_evaluation(BUNDLE, "fine"))) for _ in range(3)]
        slow = asyncio.ensure_future(engine.evaluate(an_evaluation(BUNDLE, "loops", deadline=20.0)))
        done, _ = await asyncio.wait(quick, timeout=240)
        still_at_it = not slow.done()
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        return done == set(quick), still_at_it

    assert run(scene()) == (True, True)


def test_patience_ends(make_engine, run):
    """Nobody waits in the queue for ever."""
    engine = make_engine(evaluation_deadline=3.0, compile_deadline=60.0, patience=0.5)

    async def scene():
        await engine.compile(BUNDLE)
        blockers = [asyncio.ensure_future(engine.evaluate(an_evaluation(BUNDLE, "loops"))) for _ in range(2)]
        await asyncio.sleep(0.1)
        try:
            with pytest.raises(EngineBusy):
                await engine.evaluate(an_evaluation(BUNDLE, "fine"))
        finally:
            for each in blockers:
                each.cancel()
            await asyncio.gather(*blockers, return_exceptions=True)

    run(scene())
