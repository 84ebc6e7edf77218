"""What a term of an expression can be: variables, references and how they walk, collections, comprehensions, patterns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from policies.bundles.syntax import Node, Ref, ref_of, static
from policies.footprint import calls
from policies.footprint.names import fixed_step
from policies.footprint.notes import Site
from policies.footprint.values import (
    DERIVED,
    INPUT,
    OTHER,
    UNKNOWN,
    Alternative,
    At,
    Env,
    Fields,
    Missing,
    Of,
    Plain,
    Value,
    items_of,
    joined,
    keys_of,
)

if TYPE_CHECKING:
    from policies.footprint.frame import Frame


def term(frame: Frame, written: Node, env: Env) -> Value:
    """What a term can be. Looking is not reading: that happens where the value is used."""
    content: Any = written.get("value")
    match written["type"]:
        case "var" | "ref":
            return _reference(frame, written, env)
        case "call":
            return calls.call(frame, content[0], content[1:], env)
        case "array" | "set":
            return frozenset({Of(items=joined(term(frame, item, env) for item in content))})
        case "object":
            return _object(frame, content, env)
        case "arraycomprehension" | "setcomprehension":
            return frozenset({Of(items=term(frame, content["term"], _inner(frame, content["body"], env)))})
        case "objectcomprehension":
            inner = _inner(frame, content["body"], env)
            return frozenset({Of(items=term(frame, content["value"], inner), keys=term(frame, content["key"], inner))})
        case "templatestring":
            for part in content["parts"]:
                if "terms" in part:
                    frame.expression(part, env)
            return DERIVED
    return OTHER


def _inner(frame: Frame, body: Sequence[Node], env: Env) -> Env:
    inner = dict(env)
    frame.body(body, inner)
    return inner


def _object(frame: Frame, pairs: Sequence[Sequence[Node]], env: Env) -> Value:
    if all(key["type"] == "string" for key, _ in pairs):
        return frozenset({Fields(items=frozenset((str(key["value"]), term(frame, value, env)) for key, value in pairs))})
    keys, values = (joined(term(frame, pair[number], env) for pair in pairs) for number in (0, 1))
    return frozenset({Of(items=values, keys=keys)})


# --- references -----------------------------------------------------------------------


def _reference(frame: Frame, written: Node, env: Env) -> Value:
    ref = ref_of(written)
    steps = () if written["type"] == "var" else written["value"][1:]
    site = frame.site(ref)
    if ref.root is None:
        return _walk(frame, term(frame, written["value"][0], env), steps, env, site)
    target = frame.absolute(ref, env)
    behind = [{"type": "string", "value": step} for step in target.steps[: len(target.steps) - len(steps)]]
    if target.root == "input":
        return _walk(frame, OTHER if () in frame.follower.replaced else INPUT, [*behind, *steps], env, site)
    if target.root == "data":
        return _data(frame, target, [*behind, *steps], env, site)
    return _walk(frame, env.setdefault(ref.root, UNKNOWN), steps, env, site)


def _data(frame: Frame, target: Ref, steps: Sequence[Node], env: Env, site: Site) -> Value:
    follower, fixed = frame.follower, static(target)
    for length in range(len(fixed), 0, -1):
        if follower.program.rules(fixed[:length]):
            return _walk(frame, follower.rule(fixed[:length]), steps[length:], env, site)
    missing = None if follower.documents is None else follower.documents.missing(fixed)
    if missing is not None:
        follower.notes.missing(site, missing)
    below = list(follower.program.reached(Ref(root="data", steps=fixed)))
    for path in below:
        if not follower.takes_arguments(path):
            follower.output(path)
    for step in steps[len(fixed) :]:
        follower.read(term(frame, step, env))
    return DERIVED if below else OTHER


def _walk(frame: Frame, value: Value, steps: Sequence[Node], env: Env, site: Site) -> Value:
    for written in steps:
        step = fixed_step(written)
        if step is None:
            _index(frame, written, value, env)
        further = _step(frame, value, step, site)
        if further is None:
            return OTHER
        value = further
    if value:
        frame.follower.notes.sound(site)
    return value


def _index(frame: Frame, written: Node, value: Value, env: Env) -> None:
    """`xs[i]`, `xs[{"path": p}]`: an index that is not known binds, and what it holds is compared."""
    name = str(written["value"])
    if written["type"] == "var" and not frame.is_global(name, env):
        env[name] = frame.follower.bounded(env.get(name, UNKNOWN) | keys_of(value))
        frame.follower.read(env[name])
    else:
        frame.follower.read(term(frame, written, env))
        bind(frame, written, items_of(value, frame.follower.shapes), env)


def step_of(frame: Frame, value: Value, step: str | int | None, site: Site) -> Value:
    """One step from a value, noted as a reference of its own."""
    found = _step(frame, value, step, site)
    if found:
        frame.follower.notes.sound(site)
    return OTHER if found is None else found


def _step(frame: Frame, value: Value, step: str | int | None, site: Site) -> Value | None:
    """One step further; None where it leads nowhere."""
    found: set[Alternative] = set()
    missing: Missing | None = None
    for alternative in value:
        further = _further(frame, alternative, step)
        if isinstance(further, Missing):
            missing = further
        else:
            found |= further
        if alternative is Plain.DERIVED and isinstance(step, str):
            frame.follower.notes.unfollowed(site, "comes from a function that is not followed")
    if missing is not None and not found:
        frame.follower.notes.missing(site, missing)
        return None
    return frame.follower.bounded(frozenset(found))


def _further(frame: Frame, alternative: Alternative, step: str | int | None) -> Value | Missing:
    match alternative:
        case At():
            further = frame.follower.shapes.step(alternative, step)
            return further if isinstance(further, Missing) else frozenset(_unless_replaced(frame, at) for at in further)
        case Fields(items=items):
            return joined(item for name, item in items if step is None or name == step) or OTHER
        case Of(items=items):
            return items or OTHER
    return frozenset({alternative})


def _unless_replaced(frame: Frame, alternative: Alternative) -> Alternative:
    replaced = frame.follower.replaced
    if isinstance(alternative, At) and any(alternative.path[: len(path)] == path for path in replaced):
        return Plain.OTHER
    return alternative


# --- patterns -------------------------------------------------------------------------


def bind(frame: Frame, pattern: Node, value: Value, env: Env) -> None:
    """The variables of a pattern learn what they can be."""
    content: Any = pattern.get("value")
    match pattern["type"]:
        case "var" if not frame.is_global(str(content), env):
            env[str(content)] = frame.follower.bounded(env.get(str(content), UNKNOWN) | value)
        case "array":
            for item in content:
                bind(frame, item, items_of(value, frame.follower.shapes), env)
        case "object":
            for key, item in content:
                step = fixed_step(key)
                bind(frame, item, step_of(frame, value, step, frame.site(Ref(root=None, steps=(step,)))), env)
