"""Sans-IO: what to ask for a request (`plan`), and what the answers come to (`judge`).

1. `plan` selects the policies whose match fits, from every bundle in force.
2. `question_queries` says what to evaluate to learn which relationships they need; `asked` reads the result.
3. `rule_queries` says what to evaluate then, with the answers in `input.relations`.
4. `judge` turns all results into one verdict.

Whatever is missing, undefined or of the wrong shape becomes a fault of its policy: there is no branch here in which
something that went wrong reads as "nothing against it".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from policies.bundles import Bundle, Policy
from policies.bundles.matching import matches
from policies.engines import FailureKind, PolicyFailure, PolicyQuery, PolicyValues
from policies.findings import Findings, WrongShape, read_findings, read_questions
from policies.model import AdmissionRequest, Enforcement, Fault, Json, Outcome, PolicyId, PolicyResult, Question, Reason, Verdict
from policies.values import field, value

QUESTIONS_LIMIT = 500
"""Relationships one judgement may ask about."""

Results: TypeAlias = Mapping[PolicyId, "PolicyValues | PolicyFailure | Fault"]
"""What each policy's evaluation came to; a Fault stands for an evaluation that did not happen."""


@value
class Plan:
    """The selected policies, in the order of their ids."""

    request: AdmissionRequest
    selected: tuple[Policy, ...]
    bundles: Mapping[str, Bundle]

    def of(self, bundle: str, *, enforced: bool) -> tuple[Policy, ...]:
        """The selected policies of one bundle that are enforced, or those that only inform."""
        return tuple(p for p in self.selected if p.id.bundle == bundle and (p.enforcement is Enforcement.DENY) is enforced)


@value
class Asked:
    """The relationships to ask about, who asked for them, and the policies whose questions could not be learnt."""

    questions: tuple[Question, ...]
    by: Mapping[PolicyId, frozenset[Question]]
    faults: Mapping[PolicyId, Fault] = field(default_factory=dict)


def plan(request: AdmissionRequest, bundles: Sequence[Bundle]) -> Plan:
    """Select the policies that apply. Bundle names are unique; two of one name are a mistake of the caller."""
    named = {bundle.name: bundle for bundle in sorted(bundles, key=lambda bundle: bundle.name)}
    if len(named) != len(bundles):
        raise ValueError("two bundles of one name cannot be in force together")
    selected = (policy for bundle in named.values() for policy in bundle.policies if matches(policy.match, request))
    return Plan(request=request, selected=tuple(sorted(selected, key=lambda policy: policy.id)), bundles=named)


def question_queries(policies: Sequence[Policy]) -> tuple[PolicyQuery, ...]:
    """The `questions` rules of those that have one."""
    return tuple(
        PolicyQuery(package=p.id.package, rules=("questions",), parameters=p.parameters) for p in policies if "questions" in p.rules
    )


def rule_queries(policies: Sequence[Policy]) -> tuple[PolicyQuery, ...]:
    """Every rule that counts."""
    return tuple(
        PolicyQuery(package=p.id.package, rules=tuple(rule for rule in p.rules if rule != "questions"), parameters=p.parameters)
        for p in policies
    )


def asked(plan: Plan, results: Results) -> Asked:
    """Read the `questions` results. Past the limit, every policy that asks is at fault: none may be answered by half."""
    by: dict[PolicyId, frozenset[Question]] = {}
    faults: dict[PolicyId, Fault] = {}
    for policy in plan.selected:
        if "questions" not in policy.rules:
            continue
        match _values(policy.id, results):
            case Fault() as fault:
                faults[policy.id] = fault
            case values:
                try:
                    by[policy.id] = read_questions(values)
                except WrongShape as problem:
                    faults[policy.id] = _wrong_shape(policy.id, problem)
    questions = tuple(sorted({question for questions in by.values() for question in questions}))
    if len(questions) > QUESTIONS_LIMIT:
        message = f"{len(questions)} relationships are asked about, at most {QUESTIONS_LIMIT} may be"
        faults |= {id: Fault(reason=Reason.TOO_MANY_QUESTIONS, message=message, policy=id) for id in by}
        return Asked(questions=(), by={}, faults=faults)
    return Asked(questions=questions, by=by, faults=faults)


def relations_document(answers: Mapping[Question, bool]) -> dict[str, Json]:
    """`input.relations`: object → relation → user → related."""
    document: dict[str, dict[str, dict[str, bool]]] = {}
    for question in sorted(answers):
        document.setdefault(question.object, {}).setdefault(question.relation, {})[question.user] = answers[question]
    return document  # type: ignore[return-value]


def judge(plan: Plan, results: Results) -> Verdict:
    """All results as one verdict. A selected policy without a result is at fault; no selected policy is a fault too."""
    if not plan.selected:
        return Verdict(faults=(Fault(reason=Reason.NO_POLICY_MATCHED, message="no policy in force applies to this request"),))
    judged = [(policy, _judged(policy, results, plan.request)) for policy in plan.selected]
    found = [outcome for _, outcome in judged if isinstance(outcome, Findings)]
    ends = [end for findings in found for end in findings.expires if end > plan.request.time]
    return Verdict(
        violations=tuple(v for findings in found for v in findings.violations),
        faults=tuple(outcome for policy, outcome in judged if isinstance(outcome, Fault) and policy.enforcement is Enforcement.DENY),
        holds=tuple(h for findings in found for h in findings.holds),
        warnings=tuple(w for findings in found for w in findings.warnings),
        dryrun=tuple(s for findings in found for s in findings.shadow),
        policies=tuple(_result(policy, outcome) for policy, outcome in judged),
        valid_until=min(ends) if ends else None,
    )


def _judged(policy: Policy, results: Results, request: AdmissionRequest) -> Findings | Fault:
    match _values(policy.id, results):
        case Fault() as fault:
            return fault
        case values:
            try:
                return read_findings(policy, values)
            except WrongShape as problem:
                return _wrong_shape(policy.id, problem)


def _values(policy: PolicyId, results: Results) -> PolicyValues | Fault:
    match results.get(policy):
        case None:
            return Fault(reason=Reason.POLICY_FAILED, message=f"policy {policy} was not evaluated", policy=policy)
        case Fault() as fault:
            return fault
        case PolicyFailure() as failure:
            return Fault(reason=_reason(failure), message=f"policy {policy} could not be evaluated: {failure.message}", policy=policy)
        case values:
            return values


def _reason(failure: PolicyFailure) -> Reason:
    match failure.kind:
        case FailureKind.TIMED_OUT:
            return Reason.POLICY_TIMED_OUT
        case FailureKind.CRASHED:
            return Reason.ENGINE_CRASHED
        case FailureKind.FAILED:
            return Reason.RELATION_NOT_ASKED if "relation not asked for:" in failure.message else Reason.POLICY_FAILED


def _wrong_shape(policy: PolicyId, problem: WrongShape) -> Fault:
    return Fault(reason=Reason.POLICY_WRONG_SHAPE, message=f"policy {policy}: {problem}", policy=policy)


def _result(policy: Policy, outcome: Findings | Fault) -> PolicyResult:
    return PolicyResult(
        policy=policy.id,
        enforcement=policy.enforcement,
        outcome=Outcome.UNDECIDED if isinstance(outcome, Fault) else outcome.outcome,
        message=outcome.message if isinstance(outcome, Fault) else None,
    )


def unanswered(asked: Asked, reason: Reason, message: str) -> Iterator[tuple[PolicyId, Fault]]:
    """A fault for every policy that asked, when the questions could not be answered."""
    for policy, questions in asked.by.items():
        if questions:
            yield policy, Fault(reason=reason, message=message, policy=policy)
