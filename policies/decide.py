"""Asks the question: selects, asks relations, evaluates, combines. The only module of `policies` that awaits.

Every fault of engines and relations ends here as a fault of the policies it concerns; only "come back later"
(EngineBusy) passes through, because nothing has been judged then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from policies.absent import FootprintsOf, looking_at_absent_facts
from policies.bundles import Bundle, Policy
from policies.canonical import canonical
from policies.code_owners import given_by, owner_warnings
from policies.engines import Evaluation, PolicyEngine, PolicyFailure, PolicyQuery, PolicyValues
from policies.errors import (
    BundleQuarantined,
    BundleRefused,
    EngineBusy,
    EngineCrashed,
    EngineError,
    EngineTimedOut,
    RelationsRefused,
    RelationsUnavailable,
)
from policies.loop import together
from policies.model import AdmissionRequest, Fault, Judgement, PolicyId, Question, Reason
from policies.relations.answers import Answers
from policies.relations.port import Relations
from policies.values import replace, value
from policies.verdict import Asked, Plan, Results, asked, judge, plan, question_queries, relations_document, rule_queries, unanswered

Queries: TypeAlias = Callable[[Sequence[Policy]], tuple[PolicyQuery, ...]]


@value
class Bench:
    """What judging needs: an engine and relations.

    fair_share: whose work this is (a repository). deadline: seconds for one pass of a bundle, None = the engine's.
    footprints: remembers what policies can look at; None = followed where a fact is absent.
    """

    engine: PolicyEngine
    relations: Relations
    fair_share: str = ""
    deadline: float | None = None
    footprints: FootprintsOf | None = None


async def decide(request: AdmissionRequest, bundles: Sequence[Bundle], bench: Bench) -> Judgement:
    """The verdict on the request by these bundles, with everything it was based on, and what of its facts people should know.

    Raises EngineBusy (nothing was judged, come back later) and NotCanonical (facts JSON cannot carry), nothing else.
    """
    judgement = await decide_by(request, bundles, bench)
    found = owner_warnings(request)
    if not found:
        return judgement
    return replace(judgement, verdict=replace(judgement.verdict, warnings=(*judgement.verdict.warnings, *found)))


async def decide_by(request: AdmissionRequest, bundles: Sequence[Bundle], bench: Bench) -> Judgement:
    """What the policies of these bundles alone come to. Raises as `decide`."""
    selection = plan(request, bundles)
    facts = canonical(request.document())
    blind = await looking_at_absent_facts(selection, bench.engine, bench.footprints, bench.fair_share)
    asking = any("questions" in policy.rules for policy in selection.selected if policy.id not in blind)
    learnt = await _evaluate(selection, question_queries, facts, bench, without=blind) if asking else {}
    questions = asked(selection, {**learnt, **blind})
    answers, faults = await _answers(questions, request, bench)
    broken = {**blind, **questions.faults, **faults}
    input = facts[:-1] + b',"relations":' + canonical(relations_document(answers)) + b"}"
    results = await _evaluate(selection, rule_queries, input, bench, without=broken)
    return Judgement(
        facts=facts,
        verdict=judge(selection, {**results, **broken}),
        bundles=tuple(bundle.id for bundle in selection.bundles.values()),
        engine=bench.engine.info,
        relations=answers,
        relations_model=answers.model if isinstance(answers, Answers) else None,
    )


async def _answers(asked: Asked, request: AdmissionRequest, bench: Bench) -> tuple[Mapping[Question, bool], Mapping[PolicyId, Fault]]:
    if not asked.questions:
        return {}, {}
    try:
        answers = await bench.relations.answers(asked.questions, at=request.time, given=given_by(request))
    except RelationsUnavailable as problem:
        return {}, dict(unanswered(asked, Reason.RELATIONS_UNAVAILABLE, f"relationships could not be asked: {problem}"))
    except RelationsRefused as problem:
        return {}, dict(unanswered(asked, Reason.RELATIONS_REFUSED, f"a relationship cannot be asked: {problem}"))
    missing = [question for question in asked.questions if question not in answers]
    if missing:
        message = f"{len(missing)} relationships were not answered, {missing[0]} among them"
        return {}, dict(unanswered(asked, Reason.RELATIONS_UNAVAILABLE, message))
    return answers, {}


async def _evaluate(selection: Plan, queries: Queries, input: bytes, bench: Bench, *, without: Iterable[PolicyId] = ()) -> Results:
    """Bundles side by side; of each the enforced policies first, then, on a budget of their own, those that only inform."""
    left_out = frozenset(without)

    async def one(bundle: Bundle) -> Results:
        results: dict[PolicyId, PolicyValues | PolicyFailure | Fault] = {}
        for enforced in (True, False):
            policies = [policy for policy in selection.of(bundle.name, enforced=enforced) if policy.id not in left_out]
            if asking := queries(policies):
                results |= await _pass(bundle, asking, input, selection.request, bench)
        return results

    bundles = tuple(selection.bundles.values())
    if len(bundles) == 1:
        return await one(bundles[0])
    parts = await together(*map(one, bundles))
    return {policy: result for part in parts for policy, result in part.items()}


async def _pass(bundle: Bundle, queries: tuple[PolicyQuery, ...], input: bytes, request: AdmissionRequest, bench: Bench) -> Results:
    evaluation = Evaluation(
        bundle=bundle, queries=queries, input=input, time=request.time, fair_share=bench.fair_share, deadline=bench.deadline
    )
    ids = {query.package: PolicyId(bundle=bundle.name, package=query.package) for query in queries}
    try:
        values = await bench.engine.evaluate(evaluation)
    except EngineBusy:
        raise
    except (EngineError, BundleRefused) as problem:
        message = f"bundle '{bundle.name}' could not be evaluated: {problem}"
        return {id: Fault(reason=reason_of(problem), message=message, policy=id) for id in ids.values()}
    return {id: values[package] for package, id in ids.items() if package in values}


def reason_of(problem: EngineError | BundleRefused) -> Reason:
    """The code of a fault of the engine."""
    match problem:
        case EngineTimedOut():
            return Reason.POLICY_TIMED_OUT
        case EngineCrashed():
            return Reason.ENGINE_CRASHED
        case BundleQuarantined():
            return Reason.BUNDLE_QUARANTINED
        case BundleRefused():
            return Reason.BUNDLE_BROKEN
        case _:
            return Reason.ENGINE_UNAVAILABLE
