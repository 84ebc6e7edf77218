"""The port to Rego: what an engine must promise.

An engine holds one **isolated** data space per bundle digest: no module, data key or
package of one bundle is visible to another. The reserved package `data.admit`
(`policies.engines.reserved.ADMIT_MODULE`) is added to every bundle by the engine.

The world is pinned in every evaluation: `time.now_ns` is the evaluation's time, builtin
errors are strict, no builtin reaches the network, the clock, the environment or randomness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from policies.bundles.model import Bundle
from policies.errors import Problem
from policies.model import EngineInfo, Json, JsonObject
from policies.values import value


@value
class PolicyQuery:
    """One package of the bundle, and which of its rules to evaluate, with its own `input.parameters`."""

    package: str
    rules: tuple[str, ...]
    parameters: JsonObject


@value
class Evaluation:
    """One call of an engine.

    input: UTF-8 JSON of the input document, without `parameters`.
    time: what `time.now_ns()` answers.
    deadline: seconds of evaluation (compiling has its own); None = the engine's default.
    fair_share: work is shared evenly between these keys when there is more than fits (a repository).
    """

    bundle: Bundle
    queries: tuple[PolicyQuery, ...]
    input: bytes
    time: datetime
    fair_share: str = ""
    deadline: float | None = None


class FailureKind(StrEnum):
    """How one policy failed while others may not have."""

    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"


@value
class PolicyFailure:
    """This policy has no values: `message` is the engine's own words, with file and line where it gives them."""

    kind: FailureKind
    message: str


PolicyValues = Mapping[str, Json]
"""Rule name → its value; an undefined rule is absent. Sets arrive as lists, ordered as OPA orders them."""


@value
class TestCase:
    """One Rego test: `package.name`; a test that errors or is not true has failed, with what was printed or compared.

    found: of one that is not true, the line that failed and the values it looked at, where the engine can tell.
    """

    name: str
    path: str
    passed: bool
    message: str | None = None
    seconds: float = 0.0
    found: tuple[str, ...] = ()


@value
class TestReport:
    """All `test_` rules of a bundle. `coverage`: per file the lines covered and not covered, if asked for."""

    cases: tuple[TestCase, ...]
    coverage: Mapping[str, tuple[Sequence[int], Sequence[int]]] | None = None


class PolicyEngine(Protocol):
    """Evaluates bundles. Safe to call from many tasks at once; nothing of one evaluation reaches the next."""

    @property
    def info(self) -> EngineInfo:
        """Name and OPA version, as recorded in decisions."""

    async def start(self) -> None:
        """Begin now what the first call would wait for. Repeating it costs nothing. Raises EngineUnavailable."""

    async def parse(
        self, modules: Mapping[str, str], *, fair_share: str = "", deadline: float | None = None
    ) -> Mapping[str, Json | Problem]:
        """OPA's own syntax tree of each module (`rego.parse_module`'s JSON), or the problem with its line.

        Comments (METADATA too) are in the tree under `comments`/`annotations` where OPA gives them.
        fair_share: as in Evaluation. deadline: seconds, None = the engine's for compiling.
        Raises EngineTimedOut, EngineBusy, EngineUnavailable.
        """

    async def compile(self, bundle: Bundle, *, fair_share: str = "", deadline: float | None = None) -> None:
        """Make the bundle ready under its digest, within the deadline (as in `parse`). Repeating it costs nothing.

        Raises BundleRefused (with file and line), EngineTimedOut, EngineBusy, EngineUnavailable.
        """

    async def evaluate(self, evaluation: Evaluation) -> Mapping[str, PolicyValues | PolicyFailure]:
        """Package → values of its defined rules, or why there are none. Every query has an entry.

        Compiles first where needed. One policy's failure does not hide another's values.
        Raises EngineTimedOut, EngineCrashed, EngineBusy, EngineUnavailable, BundleQuarantined,
        BundleRefused: then nothing was evaluated.
        """

    async def test(self, bundle: Bundle, *, coverage: bool = False) -> TestReport:
        """Run every `test_` rule of the bundle's test modules, each by itself.

        Raises as `compile`; a test file that does not compile is a BundleRefused.
        """

    async def close(self) -> None:
        """Stop the workers; nothing may be called afterwards."""
