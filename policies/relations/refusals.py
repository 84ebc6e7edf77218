"""Why this room refuses, as exceptions: each a `RelationsRefused`, since asking again changes nothing.

RelationsRefused
├── ModelRefused       a model that does not parse or does not fit together; every problem with its line and column
├── TupleRefused       a tuple that is malformed or that the model does not allow
├── QuestionRefused    a question with an unknown type or relation, a malformed name, or too much beside it
├── ConditionFailed    a condition that could not be evaluated: a parameter missing, of the wrong type, an error in CEL
├── TooDeep            more steps from question to answer than the limit, as OpenFGA counts them
└── StoreFileRefused   a store file that is not one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.errors import RelationsRefused
from policies.relations.model import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProblem:
    """One thing wrong with a model. `code` is stable; `at` is None where the model came as JSON."""

    code: str
    message: str
    at: Position | None = None

    def __str__(self) -> str:
        return self.message if self.at is None else f"{self.at}: {self.message}"


class ModelRefused(RelationsRefused):
    """A model that may not be used."""

    def __init__(self, problems: Sequence[ModelProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("the authorization model is refused:\n" + "\n".join(f"  {problem}" for problem in self.problems))
        self.advice = "correct the model; `fga model validate` reads the same language"


class TupleRefused(RelationsRefused):
    """A tuple that may not be written, or not be given along with a question."""


class QuestionRefused(RelationsRefused):
    """A question that cannot be asked of this model."""


class ConditionFailed(RelationsRefused):
    """A condition without an answer; never false, since false under `but not` would allow."""

    advice = "give the missing values in the context of the tuple's condition; a judgement itself brings only current_time"


class TooDeep(RelationsRefused):
    """The answer lies further away than the limit."""

    advice = "shorten the chain of teams or parents, or break the circle they make"


class StoreFileRefused(RelationsRefused):
    """A store file that cannot be read as one."""
