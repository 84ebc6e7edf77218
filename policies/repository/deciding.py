"""A repository's own policies: what the `.admit/` folder of a target branch may add to a verdict, and that it can do no more.

They are judged apart from the organisation's, with an engine's data space and a batch of questions of their own, and the
two verdicts are combined, which only ever makes an outcome worse. So nothing they hold, name, ask or break can change
what the organisation's rules say; at worst their own repository's changes are undecided.

It is given the files, whether read just now or recorded long ago, so that a replay comes to the same verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from policies.bundles import Bundle, BundleFiles
from policies.bundles.checking import bundle_digest, checked_bundle
from policies.bundles.matching import matches
from policies.code_owners import path_prefix
from policies.decide import Bench, decide, decide_by, reason_of
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, EngineBusy, EngineError, Problem, RelationsRefused
from policies.model import (
    AdmissionRequest,
    ChangeFacts,
    Digest,
    Enforcement,
    Fault,
    Judgement,
    Location,
    Outcome,
    PolicyId,
    PolicyResult,
    Question,
    Reason,
    Verdict,
    Violation,
    combined,
)
from policies.relations import Relations
from policies.relations.port import NOTHING_GIVEN, Given
from policies.relations.recorded import KnownFirst
from policies.repository.files import FOLDER, MOST_BYTES, MOST_FILES, OwnFiles, too_large, touches_nothing_else

_LOADS = "admit.loads"
"""What the check of a changed `.admit/` is called among policies; no bundle may have a package of that name."""
_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicies:
    """Loads repositories' own policies, each content once. Raises nothing for what a repository got wrong.

    deadline: seconds to parse, and to compile, them; None = the engine's for compiling.
    """

    engine: PolicyEngine
    deadline: float | None = None
    known: dict[Digest, Bundle | BundleRefused] = field(default_factory=dict)

    async def load(self, name: str, files: Mapping[str, bytes], *, fair_share: str) -> Bundle | BundleRefused:
        """The bundle, named `name` whatever it calls itself. Its tests are not run: a stranger's code gets no more time than it must.

        fair_share: whose work it is (the repository's). Raises EngineError.
        """
        if (found := too_large(files)) is not None:
            expected = f"expected at most {MOST_FILES} files with {MOST_BYTES:,} bytes, found {found}"
            return BundleRefused(name, [Problem(message=expected, advice="an organisation's bundle may be larger")])
        digest = bundle_digest(files)
        known = self.known.pop(digest, None)
        if known is None:
            try:
                known = await checked_bundle(
                    BundleFiles(name=FOLDER, files=files), self.engine, run_tests=False, fair_share=fair_share, deadline=self.deadline
                )
            except BundleRefused as refused:
                known = refused
        self.known[digest] = known
        while len(self.known) > _REMEMBERED:
            del self.known[next(iter(self.known))]
        return _renamed(known, name) if isinstance(known, Bundle) else known


async def decide_with_own(
    request: AdmissionRequest, organisation: Sequence[Bundle], own: OwnFiles, policies: OwnPolicies, bench: Bench
) -> Judgement:
    """The organisation's verdict, and what the repository's own policies add. Raises as `decide`."""
    judgement = await decide(request, organisation, bench)
    assert isinstance(request.thing, ChangeFacts), "only changes have a repository with a folder"
    # where both ask the same, both get the same answer, though some time lies between
    relations = _OwnRelations(KnownFirst(judgement.relations, bench.relations), own.repository)
    added = [
        await _of_target(request, own, policies, replace(bench, relations=relations)),
        await _of_head(own, policies, bench.fair_share),
    ]
    verdicts = [judgement.verdict, *(part.verdict for part in added if part.verdict is not None)]
    answers = {question: answer for part in added for question, answer in part.relations.items()}
    return replace(
        judgement,
        verdict=combined(verdicts) if len(verdicts) > 1 else judgement.verdict,
        bundles=(*judgement.bundles, *(id for id, _ in own.evidence)),
        relations={**answers, **judgement.relations},
        relations_model=judgement.relations_model or next((part.model for part in added if part.model is not None), None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    verdict: Verdict | None = None
    relations: Mapping[Question, bool] = field(default_factory=dict)
    model: str | None = None


async def _of_target(request: AdmissionRequest, own: OwnFiles, policies: OwnPolicies, bench: Bench) -> _Added:
    """What the policies at the target's tip say. Broken ones are a fault, but not for a change that may be their repair."""
    if not own.target:
        return _Added()
    assert isinstance(request.thing, ChangeFacts)
    bundle = await _loaded(own.name, own.target, policies, bench.fair_share, "the repository's own policies could not be loaded")
    if isinstance(bundle, Fault):
        return _Added(verdict=Verdict(faults=(bundle,)))
    if isinstance(bundle, BundleRefused):
        if touches_nothing_else(request.thing):
            return _Added()
        message = f"the repository's own policies cannot be used: {_first(bundle)}; repair them in a change that touches only {FOLDER}/"
        return _Added(verdict=Verdict(faults=(Fault(reason=Reason.BUNDLE_BROKEN, message=message),)))
    if not any(matches(policy.match, request) for policy in bundle.policies):
        return _Added()
    judgement = await decide_by(request, [bundle], bench)
    verdict = _confined(judgement.verdict, own.repository)
    return _Added(verdict=verdict, relations=judgement.relations, model=judgement.relations_model)


async def _loaded(
    name: str, files: Mapping[str, bytes], policies: OwnPolicies, fair_share: str, otherwise: str
) -> Bundle | BundleRefused | Fault:
    """The engine's faults as values, but for EngineBusy: then nothing was judged."""
    try:
        return await policies.load(name, files, fair_share=fair_share)
    except EngineBusy:
        raise
    except EngineError as problem:
        return Fault(reason=reason_of(problem), message=f"{otherwise}: {problem}")


def _confined(verdict: Verdict, object: str) -> Verdict:
    """Without relations to other objects: whom a hold waits for, or who could help, would be asked about them later."""
    policies = [hold.policy for hold in verdict.holds if not _within(hold.object, object)]
    policies += [violation.policy for violation in verdict.violations if violation.who and not _within(violation.who.object, object)]
    if not policies:
        return verdict
    message = f"a repository's own policies may name {object} and its paths only, found a hold or a remedy about something else"
    faults = tuple(Fault(reason=Reason.RELATIONS_REFUSED, message=message, policy=policy) for policy in dict.fromkeys(policies))
    return replace(
        verdict,
        holds=tuple(hold for hold in verdict.holds if _within(hold.object, object)),
        violations=tuple(v if v.who is None or _within(v.who.object, object) else replace(v, who=None) for v in verdict.violations),
        faults=(*verdict.faults, *faults),
    )


async def _of_head(own: OwnFiles, policies: OwnPolicies, fair_share: str) -> _Added:
    """A change that touches the folder must leave it so that it loads; removing it is allowed."""
    if not own.head:
        return _Added()
    bundle = await _loaded(own.name, own.head, policies, fair_share, f"{FOLDER}/ of this change could not be checked")
    if isinstance(bundle, Fault):
        return _Added(verdict=Verdict(faults=(bundle,)))
    id = PolicyId(bundle=own.name, package=_LOADS)
    if isinstance(bundle, Bundle):
        return _Added(verdict=Verdict(policies=(PolicyResult(policy=id, enforcement=Enforcement.DENY, outcome=Outcome.ADMITTED),)))
    return _Added(
        verdict=Verdict(
            violations=tuple(_violation(id, problem) for problem in bundle.problems),
            policies=(PolicyResult(policy=id, enforcement=Enforcement.DENY, outcome=Outcome.DENIED),),
        )
    )


def _violation(id: PolicyId, problem: Problem) -> Violation:
    place = Location(path=f"{FOLDER}/{problem.path}", line=problem.line) if problem.path else None
    return Violation(policy=id, message=f"{FOLDER}/ would not load: {problem.message}", remedy=problem.advice, location=place)


def _within(object: str, repository: str) -> bool:
    return object == repository or object.startswith(path_prefix(repository))


class _OwnRelations:
    """Answers about one repository and its paths only."""

    def __init__(self, inner: Relations, object: str) -> None:
        self._inner, self._object = inner, object

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        for question in questions:
            if not _within(question.object, self._object):
                raise RelationsRefused(
                    f"a repository's own policies may ask about {self._object} and its paths only, found a question about {question.object}"
                )
        return await self._inner.answers(questions, at=at, given=given)

    async def close(self) -> None:
        return None


def _renamed(bundle: Bundle, name: str) -> Bundle:
    policies = tuple(replace(policy, id=PolicyId(bundle=name, package=policy.id.package)) for policy in bundle.policies)
    return replace(bundle, name=name, policies=policies)


def _first(refused: BundleRefused) -> str:
    more = f" (and {len(refused.problems) - 1} more)" if len(refused.problems) > 1 else ""
    first = refused.problems[0]
    return (f"{FOLDER}/{first}" if first.path else str(first)) + more
