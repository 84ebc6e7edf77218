"""The question and the answer of a judgement, as frozen values.

Everything here is pure: no clock, no socket, no framework. A fault is part of
the answer, never an absence of one: `Verdict.outcome` is derived from what was
found, so a verdict that contradicts its own findings cannot be written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType, TypeAlias

from policies.values import field, ordered_value, value

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonObject: TypeAlias = "Mapping[str, Json]"

Digest = NewType("Digest", str)
"""`sha256:<64 hex>` over canonical bytes with a prefix for the kind (`policies.canonical`)."""


class Action(StrEnum):
    """What someone asks to be allowed to do."""

    MERGE = "merge"
    SUBMIT = "submit"


class Outcome(StrEnum):
    """The four answers. Where several meet, the first of this order wins: denied, undecided, held, admitted."""

    ADMITTED = "admitted"
    DENIED = "denied"
    HELD = "held"
    UNDECIDED = "undecided"


class Enforcement(StrEnum):
    """What a policy's findings do (Gatekeeper's words)."""

    DENY = "deny"
    WARN = "warn"
    DRYRUN = "dryrun"


MAY_BE_ABSENT = frozenset({"reviews", "requested_reviewers", "checks", "comments", "threads", "dependencies"})
"""Facts of a change that are not there where nobody looks at them: absent, which is neither none nor "cannot say"."""


@value
class ChangeFacts:
    """The facts of a proposed merge: the `change` object of the input document (`policies/schema`). MAY_BE_ABSENT may be."""

    document: JsonObject

    @property
    def connection(self) -> str:
        return str(self.document["connection"])

    @property
    def repository(self) -> str:
        """`owner/name`, as the forge writes it."""
        repository = self.document["repository"]
        assert isinstance(repository, Mapping)
        return str(repository["name"])

    @property
    def target_branch(self) -> str:
        """The branch the change finally lands on: of a stack, its bottom's base (else a stack dodges main's rules)."""
        stack = self.document.get("stack")
        base = stack.get("base") if isinstance(stack, Mapping) else None
        if not isinstance(base, Mapping):
            base = self.document["base"]
        assert isinstance(base, Mapping)
        return str(base["ref"])

    @property
    def absent(self) -> frozenset[str]:
        """The facts that are not there. A policy that may look at one of them is not asked (`policies.absent`)."""
        return MAY_BE_ABSENT - self.document.keys()


@value
class WorkflowFacts:
    """The facts of a workflow someone asks to run: the `workflow` object of the input document."""

    document: JsonObject

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def target(self) -> str:
        return str(self.document["target"])


class Word(StrEnum):
    """What somebody said to a request that waits for people."""

    APPROVED = "approved"
    REFUSED = "refused"


@value
class Approval:
    """What one account said, when, and until when that is good. name: what people call it, to be shown and no more."""

    user: str
    name: str
    word: Word
    at: datetime
    until: datetime
    reason: str | None = None

    def document(self) -> dict[str, Json]:
        """As it stands in the input."""
        return {
            "user": self.user,
            "name": self.name,
            "word": self.word.value,
            "at": rfc3339(self.at),
            "until": rfc3339(self.until),
            "reason": self.reason,
        }


@value
class Approvals:
    """What people said so far, in that order. same_person: the relation between accounts of one human, None = not known."""

    given: tuple[Approval, ...]
    same_person: str | None = None

    def document(self) -> dict[str, Json]:
        """As it stands in the input."""
        return {"given": [approval.document() for approval in self.given], "same_person": self.same_person}


@value
class AdmissionRequest:
    """The question: may `subject` do `action` with this change or workflow, at `time`?

    subject: an Actor document (`id, login, kind, ref`); in this field the subject is who asks.
    time: aware; the judgement's clock, and the only one a policy can read.
    approvals: what people said to it meanwhile; None where nobody said anything.
    code_owners: who looks after the change's files; None where that was not read (`policies.code_owners`).
    """

    subject: JsonObject
    thing: ChangeFacts | WorkflowFacts
    time: datetime
    approvals: Approvals | None = None
    code_owners: JsonObject | None = None

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("an admission request needs a time with a zone")

    @property
    def action(self) -> Action:
        return Action.MERGE if isinstance(self.thing, ChangeFacts) else Action.SUBMIT

    def document(self) -> dict[str, Json]:
        """The input policies see, `version: 1`, without `parameters` and `relations` (each policy has its own)."""
        key = "change" if isinstance(self.thing, ChangeFacts) else "workflow"
        return {
            "version": 1,
            "action": self.action.value,
            "subject": dict(self.subject),
            "time": rfc3339(self.time),
            key: dict(self.thing.document),
            **({} if self.approvals is None else {"approvals": self.approvals.document()}),
            **({} if self.code_owners is None else {"code_owners": dict(self.code_owners)}),
        }


def rfc3339(moment: datetime) -> str:
    """UTC with `Z`; microseconds only where there are any."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat().replace("+00:00", "Z")


@ordered_value
class PolicyId:
    """One Rego package of one bundle."""

    bundle: str
    package: str

    def __str__(self) -> str:
        return f"{self.bundle}/{self.package}"


@value
class Location:
    """A place in the change; `line` counts from 1."""

    path: str
    line: int | None = None


@value
class Who:
    """Who could help: everybody with `relation` to `object`. Names are resolved only when shown to someone who may see them."""

    relation: str
    object: str


@value
class Violation:
    """One reason against, in the policy's words."""

    policy: PolicyId
    message: str
    remedy: str | None = None
    location: Location | None = None
    who: Who | None = None


@value
class Hold:
    """People the request waits for: `count` of those with `relation` to `object`, until `expires_at`."""

    policy: PolicyId
    message: str
    relation: str
    object: str
    count: int = 1
    expires_at: datetime | None = None


@value
class Release:
    """A hold that waits no longer: `by` whom, one account for each human who counted."""

    policy: PolicyId
    message: str
    relation: str
    object: str
    by: tuple[str, ...]


@value
class Warning:
    """Something people should read that stops nothing."""

    policy: PolicyId
    message: str
    remedy: str | None = None
    location: Location | None = None


class Would(StrEnum):
    """What a `dryrun` policy would have done."""

    DENY = "deny"
    WARN = "warn"
    HOLD = "hold"


@value
class ShadowResult:
    """What a `dryrun` policy found; recorded, never in force."""

    policy: PolicyId
    would: Would
    message: str


class Reason(StrEnum):
    """Why a verdict is undecided. The code is stable; people read the fault's message."""

    NO_POLICY_MATCHED = "no_policy_matched"
    POLICY_TIMED_OUT = "policy_timed_out"
    POLICY_FAILED = "policy_failed"
    POLICY_WRONG_SHAPE = "policy_wrong_shape"
    POLICY_RAN_NO_RULE = "policy_ran_no_rule"
    ENGINE_CRASHED = "engine_crashed"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    BUNDLE_QUARANTINED = "bundle_quarantined"
    BUNDLE_BROKEN = "bundle_broken"
    TOO_MANY_QUESTIONS = "too_many_questions"
    RELATION_NOT_ASKED = "relation_not_asked"
    RELATIONS_UNAVAILABLE = "relations_unavailable"
    RELATIONS_REFUSED = "relations_refused"
    FACTS_MISSING = "facts_missing"
    FACTS_TORN = "facts_torn"
    FACTS_UNREACHABLE = "facts_unreachable"
    GENERATION_MOVED = "generation_moved"

    @property
    def temporary(self) -> bool:
        """True where judging again later may help although nobody changed anything."""
        return self in _TEMPORARY


_TEMPORARY = frozenset(
    {
        Reason.POLICY_TIMED_OUT,
        Reason.ENGINE_CRASHED,
        Reason.ENGINE_UNAVAILABLE,
        Reason.RELATIONS_UNAVAILABLE,
        Reason.FACTS_TORN,
        Reason.FACTS_UNREACHABLE,
        Reason.GENERATION_MOVED,
    }
)


@value
class Fault:
    """Something that kept the answer from being found. Never an approval."""

    reason: Reason
    message: str
    policy: PolicyId | None = None


@value
class PolicyResult:
    """What one selected policy came to. A `warn` or `dryrun` policy is `undecided` when it failed, and blocks nothing.

    message: why it is undecided, in the engine's words; else None.
    """

    policy: PolicyId
    enforcement: Enforcement
    outcome: Outcome
    message: str | None = None


@value
class Verdict:
    """The pure answer. Its outcome follows from its findings, and there is no way to set it.

    A verdict without any enforced or informing policy result and without a fault is
    undecided, so an empty one can never admit.
    """

    violations: tuple[Violation, ...] = ()
    faults: tuple[Fault, ...] = ()
    holds: tuple[Hold, ...] = ()
    released: tuple[Release, ...] = ()
    warnings: tuple[Warning, ...] = ()
    dryrun: tuple[ShadowResult, ...] = ()
    policies: tuple[PolicyResult, ...] = ()
    valid_until: datetime | None = None

    @property
    def outcome(self) -> Outcome:
        if self.violations:
            return Outcome.DENIED
        if self.faults or not self.policies:
            return Outcome.UNDECIDED
        if self.holds:
            return Outcome.HELD
        return Outcome.ADMITTED

    @property
    def reason(self) -> str:
        """One sentence: the first thing that stands in the way, or that nothing does."""
        match self.outcome:
            case Outcome.DENIED:
                return self.violations[0].message
            case Outcome.UNDECIDED:
                return self.faults[0].message if self.faults else "no policy was evaluated"
            case Outcome.HELD:
                return self.holds[0].message
            case Outcome.ADMITTED:
                count = len(self.policies)
                return f"{count} {'policy' if count == 1 else 'policies'} passed"

    @property
    def may_change_by_itself(self) -> bool:
        """True if undecided and judging again later may help although nobody changed anything."""
        return self.outcome is Outcome.UNDECIDED and any(fault.reason.temporary for fault in self.faults)


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """All findings of all verdicts; the worst outcome wins in any order and grouping, the earliest expiry counts."""
    parts = tuple(verdicts)
    ends = [part.valid_until for part in parts if part.valid_until is not None]
    silent = tuple(
        Fault(reason=Reason.NO_POLICY_MATCHED, message="no policy was evaluated")
        for part in parts
        if not part.policies and not part.faults and not part.violations
    )
    return Verdict(
        violations=tuple(v for part in parts for v in part.violations),
        faults=tuple(f for part in parts for f in part.faults) + silent,
        holds=tuple(h for part in parts for h in part.holds),
        released=tuple(r for part in parts for r in part.released),
        warnings=tuple(w for part in parts for w in part.warnings),
        dryrun=tuple(d for part in parts for d in part.dryrun),
        policies=tuple(p for part in parts for p in part.policies),
        valid_until=min(ends) if ends else None,
    )


@value
class EngineInfo:
    """Which engine judged, for the record."""

    name: str
    version: str


@value
class BundleId:
    """Which bundle judged, for the record."""

    name: str
    revision: str
    digest: Digest


@ordered_value
class Question:
    """Does `user` have `relation` to `object`? OpenFGA's words: `user:work/7`, `owner`, `repository:work/12`."""

    user: str
    relation: str
    object: str


@value
class Judgement:
    """A verdict with all it was based on: what is recorded, and what replay starts from.

    facts: the canonical bytes of the request's document. relations_model: what answered `relations`, if it says so.
    """

    facts: bytes
    verdict: Verdict
    bundles: tuple[BundleId, ...]
    engine: EngineInfo
    relations: Mapping[Question, bool] = field(default_factory=dict)
    relations_model: str | None = None
