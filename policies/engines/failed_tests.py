"""Why a Rego test is not true: which of its expressions failed, and what that one saw, read from OPA's trace.

Separate from running tests, because a trace is made for tests that have failed only: it is much larger than an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MADE_UP = re.compile(r"__local[a-z]*\d+__")
_WIDEST = 300
_MOST = 12


def what_failed(trace: Sequence[Mapping[str, Any]], path: str, source: str) -> tuple[str, ...]:
    """The line that was not true, and below it the values it looked at; nothing where the trace does not show them."""
    fail = next((event for event in reversed(trace) if event["op"] == "Fail" and _line(event, path) is not None), None)
    if fail is None:
        return ()
    line = _line(fail, path)
    assert line is not None
    lines = source.splitlines()
    text = lines[line - 1].strip() if 0 < line <= len(lines) else str(fail["node"])
    return (f"{path}:{line}: {text}", *list(dict.fromkeys(_values(fail, trace)))[:_MOST])


def _line(event: Mapping[str, Any], path: str) -> int | None:
    file, _, line = str(event["location"]).rpartition(":")
    return int(line) if file == path and line.isdigit() else None


def _values(fail: Mapping[str, Any], trace: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Variables by the names people gave them, then the expressions OPA has put a name of its own in place of."""
    here = [event for event in reversed(trace) if event["op"] == "Fail" and event["location"] == fail["location"]]
    variables = {name: value for event in reversed(here) for name, value in (event.get("locals") or {}).items()}
    for name, value in variables.items():
        if _MADE_UP.fullmatch(name) is None:
            yield f"  {name} is {_short(json.dumps(value, ensure_ascii=False))}"
    events = [event for event in trace if event["query_id"] == fail["query_id"]]
    meant, found = _meanings(events), _findings(events)
    for name in _MADE_UP.findall(str(fail["node"])):
        if name in meant and name in found and meant[name] != found[name]:
            yield f"  {_short(meant[name])} is {_short(found[name])}"
    compared = _compared(fail, trace)
    if compared is not None:
        yield f"  {_short(compared[0])} is not {_short(compared[1])}"


def _compared(fail: Mapping[str, Any], trace: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The two values that were to be equal, if that is what failed."""
    place = next(number for number, event in enumerate(trace) if event is fail)
    last = trace[place - 1] if place else fail
    left, equals, right = str(last["node"]).partition(" = ")
    if last["op"] != "Unify" or not equals or any(_MADE_UP.search(side) or side.startswith(("data.", "input.")) for side in (left, right)):
        return None
    return left, right


def _meanings(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What OPA's own names stand for: `__local8__ = data.merge.label.deny with input as …`, `count(x, __local5__)`."""
    meant: dict[str, str] = {}
    for event in events:
        node = str(event["node"])
        if event["op"] != "Eval":
            continue
        if (assigned := re.fullmatch(rf"({_MADE_UP.pattern}) = (.+)", node)) is not None:
            meant.setdefault(assigned[1], re.sub(r" with .*", "", assigned[2]))  # later ones compare
        elif (called := re.fullmatch(rf"(\S+)\((.*), ({_MADE_UP.pattern})\)( with .*)?", node)) is not None:
            meant.setdefault(called[3], f"{called[1]}({called[2]})")
    return {name: _spelt_out(text, meant) for name, text in meant.items()}


def _spelt_out(text: str, meant: Mapping[str, str]) -> str:
    """Names within names replaced too, a few levels deep."""
    for _ in range(5):
        spelt = _MADE_UP.sub(lambda name: meant.get(name[0], name[0]), text)
        if spelt == text or len(spelt) > _WIDEST:
            break
        text = spelt
    return text


def _findings(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Their values: what they were last unified with."""
    found: dict[str, str] = {}
    for event in events:
        if event["op"] == "Unify" and (sides := re.fullmatch(rf"(.+) = ({_MADE_UP.pattern})|({_MADE_UP.pattern}) = (.+)", event["node"])):
            name, value = (sides[2], sides[1]) if sides[2] else (sides[3], sides[4])
            if _MADE_UP.search(value) is None and not value.startswith(("data.", "input.")):
                found[name] = value
    return found


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
