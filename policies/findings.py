"""Reads what a policy's rules came to: sets of strings or objects, by conftest's and Gatekeeper's conventions.

Strict, because what is skipped here would admit: a rule that is undefined, not a set, or holds an item without a
message raises WrongShape, with the text of a mend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from policies.bundles import Policy
from policies.engines import PolicyValues
from policies.model import (
    Enforcement,
    Hold,
    Json,
    Location,
    Outcome,
    PolicyId,
    Question,
    ShadowResult,
    Violation,
    Warning,
    Who,
    Would,
)
from policies.values import value

T = TypeVar("T")


FINDINGS_LIMIT = 500
"""Items of one rule that are kept; the rest is counted. Nobody reads more, and a page has to hold them."""
_TEXT_LIMIT = 4000
"""Characters of one text."""
_NUMBER_LIMIT = 2**31 - 1


class WrongShape(ValueError):
    """A rule's value is not what its name promises."""


@value
class Findings:
    """What one policy found, with its enforcement applied."""

    violations: tuple[Violation, ...] = ()
    holds: tuple[Hold, ...] = ()
    warnings: tuple[Warning, ...] = ()
    shadow: tuple[ShadowResult, ...] = ()
    expires: tuple[datetime, ...] = ()

    @property
    def outcome(self) -> Outcome:
        if self.violations:
            return Outcome.DENIED
        return Outcome.HELD if self.holds else Outcome.ADMITTED


def kind_of(rule: str) -> str:
    """`deny_unsigned` → `deny`: the convention a rule belongs to, by its first word."""
    return rule.split("_", 1)[0]


def read_findings(policy: Policy, values: PolicyValues) -> Findings:
    """All rules of one policy. Raises WrongShape."""
    counting = [rule for rule in policy.rules if kind_of(rule) in {"deny", "violation", "warn", "hold"}]
    if not counting:
        raise WrongShape("no rule that counts was evaluated; add a deny, violation, warn or hold rule")
    denials: list[Violation] = []
    warnings: list[Warning] = []
    holds: list[Hold] = []
    for rule in counting:
        items = _kept(rule, _items(rule, values))
        match kind_of(rule):
            case "warn":
                warnings += [_warning(policy.id, rule, item) for item in items]
            case "hold":
                holds += [_hold(policy.id, rule, item) for item in items]
            case _:
                denials += [_violation(policy.id, rule, item) for item in items]
    expires = tuple(_moment("expires", item) for item in _items("expires", values)) if "expires" in policy.rules else ()
    match policy.enforcement:
        case Enforcement.DENY:
            return Findings(violations=tuple(denials), holds=tuple(holds), warnings=tuple(warnings), expires=expires)
        case Enforcement.WARN:
            softened = [Warning(policy=v.policy, message=v.message, remedy=v.remedy, location=v.location) for v in denials]
            softened += [Warning(policy=h.policy, message=h.message) for h in holds]
            return Findings(warnings=(*softened, *warnings), expires=expires)
        case Enforcement.DRYRUN:
            return Findings(shadow=tuple(_shadow(policy.id, denials, warnings, holds)))


def read_questions(values: PolicyValues) -> frozenset[Question]:
    """The `questions` rule. Raises WrongShape."""
    found = set()
    for item in _items("questions", values):
        if not isinstance(item, dict) or set(item) != {"user", "relation", "object"}:
            raise WrongShape(f"rule 'questions' holds {_short(item)}; ask with admit.question(user, relation, object)")
        found.add(Question(**{key: _text("questions", key, value) for key, value in item.items()}))
    return frozenset(found)


def _items(rule: str, values: PolicyValues) -> list[Json]:
    if rule not in values:
        raise WrongShape(f"rule '{rule}' is undefined; define it as a set: {rule} contains … if …")
    value = values[rule]
    if not isinstance(value, list):
        raise WrongShape(f"rule '{rule}' is {_short(value)}, not a set; write it as: {rule} contains … if …")
    return value


def _kept(rule: str, items: list[Json]) -> list[Json]:
    """At most the limit, and one item more that says how many there are: a denial of many still denies, a hold still holds."""
    if len(items) <= FINDINGS_LIMIT:
        return items
    last = items[FINDINGS_LIMIT - 1]
    told: dict[str, Json] = {"msg": f"{len(items)} findings of rule '{rule}', of which the first {FINDINGS_LIMIT} are kept"}
    return [*items[:FINDINGS_LIMIT], {**last, **told} if isinstance(last, dict) else told]


def _violation(policy: PolicyId, rule: str, item: Json) -> Violation:
    fields = _object(rule, item)
    return Violation(
        policy=policy,
        message=_message(rule, fields),
        remedy=_optional(rule, fields, "remedy", _text),
        location=_location(rule, fields),
        who=_optional(rule, fields, "who", _who),
    )


def _warning(policy: PolicyId, rule: str, item: Json) -> Warning:
    fields = _object(rule, item)
    return Warning(
        policy=policy,
        message=_message(rule, fields),
        remedy=_optional(rule, fields, "remedy", _text),
        location=_location(rule, fields),
    )


def _hold(policy: PolicyId, rule: str, item: Json) -> Hold:
    fields = _object(rule, item)
    count = fields.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _NUMBER_LIMIT:
        raise WrongShape(f"rule '{rule}': count is {_short(count)}, expected a whole number of at least 1")
    return Hold(
        policy=policy,
        message=_message(rule, fields),
        relation=_text(rule, "relation", fields.get("relation")),
        object=_text(rule, "object", fields.get("object")),
        count=count,
        expires_at=_moment(rule, fields["expires"]) if "expires" in fields else None,
    )


def _shadow(policy: PolicyId, denials: list[Violation], warnings: list[Warning], holds: list[Hold]) -> list[ShadowResult]:
    found = [(Would.DENY, item.message) for item in denials]
    found += [(Would.WARN, item.message) for item in warnings]
    found += [(Would.HOLD, item.message) for item in holds]
    return [ShadowResult(policy=policy, would=would, message=message) for would, message in found]


def _object(rule: str, item: Json) -> dict[str, Json]:
    match item:
        case str():
            return {"msg": item}
        case dict():
            return item
        case _:
            raise WrongShape(f"rule '{rule}' holds {_short(item)}; each item is a string or an object with 'msg'")


def _message(rule: str, fields: Mapping[str, Json]) -> str:
    if "msg" not in fields:
        raise WrongShape(f"rule '{rule}' holds an object without 'msg'; say there what is wrong")
    return _text(rule, "msg", fields["msg"])


def _text(rule: str, key: str, value: Json) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongShape(f"rule '{rule}': {key} is {_short(value)}, expected a text that is not empty")
    return value if len(value) <= _TEXT_LIMIT else value[: _TEXT_LIMIT - 1] + "…"


def _who(rule: str, key: str, value: Json) -> Who:
    if not isinstance(value, dict) or not {"relation", "object"} <= set(value):
        raise WrongShape(f"rule '{rule}': {key} is {_short(value)}, expected an object with 'relation' and 'object'")
    return Who(relation=_text(rule, "who.relation", value["relation"]), object=_text(rule, "who.object", value["object"]))


def _location(rule: str, fields: Mapping[str, Json]) -> Location | None:
    """Either `location: {path, line}` or `path` and `line` beside the message."""
    place = fields.get("location", {key: fields[key] for key in ("path", "line") if key in fields} or None)
    if place is None:
        return None
    if not isinstance(place, dict):
        raise WrongShape(f"rule '{rule}': location is {_short(place)}, expected an object with 'path' and perhaps 'line'")
    line = place.get("line")
    if line is not None and (not isinstance(line, int) or isinstance(line, bool) or not 1 <= line <= _NUMBER_LIMIT):
        raise WrongShape(f"rule '{rule}': line is {_short(line)}, expected a whole number")
    return Location(path=_text(rule, "path", place.get("path")), line=line)


def _moment(rule: str, value: Json) -> datetime:
    text = _text(rule, "expires", value)
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)  # what the calendar holds with its own zone it may not hold in UTC
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise WrongShape(f"rule '{rule}': expires is {_short(text)}, expected an RFC 3339 time with a zone")
    return moment


def _optional(rule: str, fields: Mapping[str, Json], key: str, read: Callable[[str, str, Json], T]) -> T | None:
    value = fields.get(key)
    return None if value is None else read(rule, key, value)


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
