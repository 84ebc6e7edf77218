"""OPA over REST: for machines where OPA's library has no wheel (musl), or where OPA's own binary is wanted.

**Isolation.** An OPA server has one data space; putting several bundles into one could only be
done by rewriting their packages, and any rewriting that misses a reference (`data[x]`, a path
built at run time, `with data.a as …`) is a hole. So the engine is given OPA's binary, not an
address, and supervises one server per bundle digest, on a socket nobody else reaches; that also
lets it kill one that loops in a builtin, which hanging up does not stop. A shared server
elsewhere is therefore not supported.

**Queries.** OPA's ad-hoc query API ignores `strict-builtin-errors`, so each distinct query is
put in as a module of the reserved package and asked for through the data API, which heeds it.
Syntax trees and tests come from `opa eval`, which starts in 10 ms.
https://www.openpolicyagent.org/docs/rest-api
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from policies.bundles.model import Bundle
from policies.engines import rego_tests
from policies.engines.checks import refusals
from policies.engines.fair_slots import FairSlots
from policies.engines.messages import located, problems_in
from policies.engines.once import Once
from policies.engines.opa_command import Folder, opa_eval, unavailable
from policies.engines.opa_fleet import Fleet
from policies.engines.opa_process import Interrupted, Listen, OpaProcess
from policies.engines.passes import evaluated
from policies.engines.port import Evaluation, FailureKind, PolicyFailure, PolicyQuery, PolicyValues, TestReport
from policies.engines.quarantine import Quarantine
from policies.engines.queries import one_pass, reached_by
from policies.engines.reserved import RESERVED_MODULES
from policies.errors import BundleRefused, EngineCrashed, EngineTimedOut, Problem
from policies.model import EngineInfo, Json, JsonObject

_ATTEMPTS = 3
_STRICT = "--strict-builtin-errors"
_PARSE = "tree := {path: tree | some path, source in input; tree := rego.parse_module(path, source)}"
_PARSE_ONE = "tree := rego.parse_module(input.path, input.source)"


class OpaServer:
    """An engine that supervises `opa run --server` processes, one per bundle.

    binary: the `opa` to run. listen: a unix socket, or loopback TCP with a token.
    servers: how many bundles may be ready at once; the one longest unused makes room.
    at_once: evaluations running at the same time, all bundles together; None = one for each processor, four at most.
    The rest is as in OpaLibrary.
    """

    def __init__(
        self,
        *,
        binary: Path,
        listen: Listen = "unix",
        servers: int = 16,
        at_once: int | None = None,
        compile_deadline: float = 30.0,
        evaluation_deadline: float = 2.0,
        memory_limit: int = 1 << 30,
        queue_limit: int = 1000,
        patience: float = 30.0,
        quarantine_after: int = 3,
    ) -> None:
        self._binary = binary
        self._compile_deadline = compile_deadline
        self._evaluation_deadline = evaluation_deadline
        self._memory_limit = memory_limit
        self._slots = FairSlots(slots=at_once or min(os.cpu_count() or 1, 4), queue_limit=queue_limit, patience=patience)
        self._compiled = Once[frozenset[str]]()
        self._quarantine = Quarantine(after=quarantine_after)
        self._fleet = Fleet(binary=binary, listen=listen, size=servers, compile_deadline=compile_deadline, memory_limit=memory_limit)

    @functools.cached_property
    def info(self) -> EngineInfo:
        """`opa-server` and what the binary says its version is. Raises EngineUnavailable."""
        try:
            said = subprocess.run([str(self._binary), "version"], capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
        except (OSError, subprocess.SubprocessError) as problem:
            raise unavailable(self._binary, problem) from problem
        return EngineInfo(name="opa-server", version=said.partition("Version: ")[2].partition("\n")[0])

    async def start(self) -> None:
        """See the port: servers start with their bundles."""

    async def parse(
        self, modules: Mapping[str, str], *, fair_share: str = "", deadline: float | None = None
    ) -> Mapping[str, Json | Problem]:
        """See the port."""
        if not modules:
            return {}
        async with self._slots.slot(fair_share):
            with _folder({}, {}) as folder:
                answer = await self._eval(folder, _PARSE, document=dict(modules), deadline=deadline)
                trees: dict[str, Json] = answer["result"][0]["bindings"]["tree"]
                missing = {path: source for path, source in modules.items() if path not in trees}
                problems = {path: await self._problem(folder, path, source, deadline) for path, source in missing.items()}
        return {path: trees[path] if path in trees else problems[path] for path in modules}

    async def compile(self, bundle: Bundle, *, fair_share: str = "", deadline: float | None = None) -> None:
        """See the port."""
        await self._pinned(bundle, fair_share, deadline)

    async def evaluate(self, evaluation: Evaluation) -> Mapping[str, PolicyValues | PolicyFailure]:
        """See the port."""
        pinned = await self._pinned(evaluation.bundle, evaluation.fair_share)
        run = functools.partial(self._pass, pinned)
        return await evaluated(evaluation, run, self._quarantine, deadline=self._deadline(evaluation))

    async def test(self, bundle: Bundle, *, coverage: bool = False) -> TestReport:
        """See the port."""
        self._quarantine.check(bundle.digest, bundle.name)
        modules = {**bundle.modules, **bundle.tests}
        trees = await self._check(bundle, modules)
        with _folder(modules, bundle.data) as folder:
            compiled = await self._eval(folder, "true", _STRICT)
            if "errors" in compiled:
                raise BundleRefused(bundle.name, [problem for error in compiled["errors"] for problem in problems_in(located(error))])
            return await rego_tests.run(bundle, trees, functools.partial(self._ask, folder), coverage=coverage)

    async def close(self) -> None:
        """See the port."""
        await self._fleet.close()

    async def _pinned(self, bundle: Bundle, share: str, deadline: float | None = None) -> frozenset[str]:
        """What has to be pinned in this bundle's queries; it is compiled then."""
        self._quarantine.check(bundle.digest, bundle.name)
        return await self._compiled.do(bundle.digest, lambda: self._compile(bundle, share, deadline))

    async def _compile(self, bundle: Bundle, share: str, deadline: float | None) -> frozenset[str]:
        trees = await self._check(bundle, bundle.modules, share, deadline)
        async with self._slots.slot(share):
            await self._started(bundle, deadline)
        return reached_by(trees.values())

    async def _check(
        self, bundle: Bundle, modules: Mapping[str, str], share: str = "", deadline: float | None = None
    ) -> Mapping[str, Json | Problem]:
        trees = await self.parse(modules, fair_share=share, deadline=deadline)
        problems = refusals(bundle, trees)
        if problems:
            raise BundleRefused(bundle.name, problems)
        return trees

    async def _problem(self, folder: Folder, path: str, source: str, deadline: float | None) -> Problem:
        answer = await self._eval(folder, _PARSE_ONE, _STRICT, document={"path": path, "source": source}, deadline=deadline)
        message = str(answer["errors"][0]["message"]).removeprefix("rego.parse_module: ")
        return replace(problems_in(message)[0], path=path)

    async def _started(self, bundle: Bundle, deadline: float | None = None) -> OpaProcess:
        try:
            return await self._fleet.server(bundle, deadline)
        except EngineTimedOut:
            self._quarantine.strike(bundle.digest)
            raise

    async def _pass(
        self, pinned: frozenset[str], evaluation: Evaluation, queries: tuple[PolicyQuery, ...]
    ) -> Mapping[str, PolicyValues] | PolicyFailure:
        asked = one_pass(queries, evaluation.input, evaluation.time, pinned)
        async with self._slots.slot(evaluation.fair_share):
            for _ in range(_ATTEMPTS):
                server = await self._started(evaluation.bundle)
                try:
                    answer = await server.ask(asked.text, asked.given, deadline=self._deadline(evaluation))
                except Interrupted:  # it was killed for somebody else's evaluation: evaluating is pure, so do it again
                    continue
                return PolicyFailure(kind=FailureKind.FAILED, message=answer) if isinstance(answer, str) else asked.values(answer)
        raise EngineCrashed(f"bundle '{evaluation.bundle.name}': its server was stopped {_ATTEMPTS} times while evaluating")

    def _deadline(self, evaluation: Evaluation) -> float:
        return evaluation.deadline if evaluation.deadline is not None else self._evaluation_deadline

    async def _ask(
        self, folder: Folder, bundle: Bundle, queries: Sequence[str], *, coverage: bool, trace: bool
    ) -> list[rego_tests.Envelope]:
        if trace:  # `opa eval` explains in a form of its own
            return [{} for _ in queries]
        options = (_STRICT, "--coverage") if coverage else (_STRICT,)
        return [_envelope(await self._eval(folder, query, *options, deadline=self._evaluation_deadline)) for query in queries]

    async def _eval(
        self, folder: Folder, query: str, *options: str, document: Json = None, deadline: float | None = None
    ) -> dict[str, Any]:
        given = None if document is None else json.dumps(document).encode()
        patience = self._compile_deadline if deadline is None else deadline
        return await opa_eval(self._binary, folder, query, *options, document=given, deadline=patience, memory_limit=self._memory_limit)


@contextmanager
def _folder(modules: Mapping[str, str], data: JsonObject) -> Iterator[Folder]:
    folder = Folder({**modules, **RESERVED_MODULES}, data)
    try:
        yield folder
    finally:
        folder.remove()


def _envelope(answer: dict[str, Any]) -> rego_tests.Envelope:
    """`opa eval`'s JSON in the shape the library answers in."""
    prints = [{"location": None, "message": line} for line in answer["printed"].splitlines()]
    error = {"message": located(answer["errors"][0])} if "errors" in answer else None
    return {"error": error, "result": answer.get("result"), "coverage": answer.get("coverage"), "prints": prints}
