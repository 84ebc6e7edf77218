"""The workflows that may be submitted: where each may run, and what its input has to look like."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.errors import ConfigurationWrong
from policies.errors import RequestRefused

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredWorkflow:
    """One of them. targets: where it may run, the first where nobody says. schema: of its input, None = any object."""

    name: str
    targets: tuple[str, ...]
    schema: Draft202012Validator | None = None


class Catalogue:
    """All of them, by name."""

    def __init__(self, workflows: Sequence[DeclaredWorkflow], targets: Sequence[str]) -> None:
        """Raises ConfigurationWrong for one that names a target nobody configured."""
        for workflow in workflows:
            for target in workflow.targets:
                if target not in targets:
                    known = ", ".join(sorted(targets)) or "none"
                    raise ConfigurationWrong(f"workflows: '{workflow.name}' names the target '{target}', but there is: {known}")
        self._workflows: Mapping[str, DeclaredWorkflow] = {workflow.name: workflow for workflow in workflows}

    @property
    def workflows(self) -> tuple[DeclaredWorkflow, ...]:
        """By name."""
        return tuple(self._workflows[name] for name in sorted(self._workflows))

    def target_of(self, workflow: str, target: str | None) -> str:
        """Where it would run. Raises RequestRefused for a workflow or target there is not."""
        declared = self._workflows.get(workflow)
        if declared is None:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise RequestRefused(f"workflow: there is no workflow '{workflow}'; admit.yaml has: {known}")
        if target is None:
            return declared.targets[0]
        if target not in declared.targets:
            raise RequestRefused(f"target: '{workflow}' may not run on '{target}'; it may on: {', '.join(declared.targets)}")
        return target

    def check_input(self, workflow: str, input: object) -> None:
        """Raises RequestRefused with everything about it that does not fit what the workflow declares."""
        if not isinstance(input, Mapping):
            raise RequestRefused(f"input: expected an object, found {json.dumps(input)[:40]}")
        schema = self._workflows[workflow].schema
        if schema is None:
            return
        try:
            wrong = sorted(schema.iter_errors(input), key=lambda error: list(map(str, error.absolute_path)))
        except Unresolvable as problem:
            raise RequestRefused(f"input: the schema of '{workflow}' refers to something that is not in it: {problem}") from problem
        except RecursionError as problem:
            raise RequestRefused("input: it is nested too deeply to be checked") from problem
        if wrong:
            lines = [f"  input{_place(error)}: {error.message[:300]}" for error in map(_deepest, wrong[:_SHOWN])]
            more = [f"  and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
            raise RequestRefused(f"the input does not fit what '{workflow}' declares:\n" + "\n".join(lines + more))


def declared(name: str, targets: Sequence[str], schema: Mapping[str, Any] | None) -> DeclaredWorkflow:
    """One, its schema checked. Raises ConfigurationWrong."""
    if schema is None:
        return DeclaredWorkflow(name=name, targets=tuple(targets))
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as problem:
        raise ConfigurationWrong(f"workflows: the input of '{name}' is no JSON Schema: {problem.message}") from problem
    # an empty registry: nothing outside the schema is ever fetched
    return DeclaredWorkflow(name=name, targets=tuple(targets), schema=Draft202012Validator(schema, registry=Registry()))


def _deepest(error: Any) -> Any:
    """Of an anyOf the branch that came closest, since "is not valid under any of the given schemas" helps nobody."""
    return best_match(error.context) if error.context else error


def _place(error: Any) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
