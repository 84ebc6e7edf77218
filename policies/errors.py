"""What can go wrong while deciding, as exceptions. A denial is never one of them.

PolicyError
├── BundleRefused         a bundle (or file of one) that may not be used, with every problem found
├── RequestRefused        a request or fact document that does not fit the input's schema
├── NotCanonical          a value that has no canonical JSON form
├── EngineError           evaluation as a whole did not happen
│   ├── EngineTimedOut    killed at its deadline
│   ├── EngineCrashed     the worker or server died
│   ├── EngineBusy        full: come back in `retry_after` seconds
│   ├── EngineUnavailable cannot be reached or started
│   └── BundleQuarantined this bundle killed its worker too often
└── RelationsError        relationship questions were not answered
    ├── RelationsUnavailable  down, slow, erring: asking later may help
    └── RelationsRefused      the question or model is wrong: asking later will not help

`str()` is for the log; `advice` is for the person who can do something about it.
These stop in `policies.decide`, which turns them into undecided verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.values import value


class PolicyError(Exception):
    """Base of all of `policies`."""

    advice: str | None = None


@value
class Problem:
    """One thing wrong with a bundle: what was expected, what was found, what to do. `line` counts from 1."""

    message: str
    path: str | None = None
    line: int | None = None
    advice: str | None = None

    def __str__(self) -> str:
        place = "" if self.path is None else f"{self.path}:{self.line}: " if self.line else f"{self.path}: "
        return place + self.message + (f"; {self.advice}" if self.advice else "")


class BundleRefused(PolicyError):
    """A bundle that may not be used; nothing of it is.

    files: its files, where they are at hand: whoever shows a problem can show the line it is about.
    """

    def __init__(self, bundle: str, problems: Sequence[Problem]) -> None:
        self.bundle = bundle
        self.problems = tuple(problems)
        self.files: Mapping[str, bytes] = {}
        super().__init__(f"bundle '{bundle}' is refused:\n" + "\n".join(f"  {problem}" for problem in self.problems))


class RequestRefused(PolicyError):
    """A request that cannot be judged as it stands."""


class NotCanonical(PolicyError):
    """A value without a canonical JSON form."""


class EngineError(PolicyError):
    """The evaluation as a whole did not happen."""


class EngineTimedOut(EngineError):
    """Killed at its deadline."""


class EngineCrashed(EngineError):
    """The process that evaluated died."""


class EngineUnavailable(EngineError):
    """The engine cannot be reached or started."""


class EngineBusy(EngineError):
    """The queue is full."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BundleQuarantined(EngineError):
    """This bundle killed its worker too often and is not run any more."""


class RelationsError(PolicyError):
    """Relationship questions were not answered."""


class RelationsUnavailable(RelationsError):
    """Down, slow or erring."""


class RelationsRefused(RelationsError):
    """The question does not fit the model, or the model is wrong."""
