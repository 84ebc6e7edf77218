"""OPA as a library, in killable workers.

The library has no time limit, no way to cancel and no memory limit, so it runs in processes
that can be ended (`worker_pool`). This module is the port's side: bundles and queries in,
values, failures and errors out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from policies.bundles.model import Bundle
from policies.engines.checks import refusals
from policies.engines.frames import Kind, in_pieces
from policies.engines.launch import GIVEN, MEMORY_LIMIT, Launched, bindings_version
from policies.engines.messages import problems_in
from policies.engines.once import Once
from policies.engines.passes import evaluated
from policies.engines.port import Evaluation, FailureKind, PolicyFailure, PolicyQuery, PolicyValues, TestReport
from policies.engines.quarantine import Quarantine
from policies.engines.queries import one_pass, reached_by
from policies.engines.worker_pool import WorkerPool
from policies.engines.worker_seat import Job
from policies.errors import BundleRefused, EngineCrashed, EngineTimedOut, Problem
from policies.model import EngineInfo, Json
from policies.values import replace

if TYPE_CHECKING:
    from policies.engines.rego_tests import Envelope

_WORKERS_AT_MOST = 4
"""Where nobody says how many: each holds every bundle in force."""
_IN_TEXT = 2048
"""Bytes of parameters in a query's text. The library reads a text once, and keeps it for as long as its worker runs."""
_OPA_VERSION_OF: Mapping[str, str] = {"0.4.4": "1.20.2"}
"""Of the bindings' release: the library cannot say it itself."""


class OpaLibrary:
    """The engine that ships: OPA inside worker processes.

    workers: processes at most; None = one for each processor, four at most. The first is started with the first call, others
        once what waits is worth one.
    compile_deadline, evaluation_deadline: seconds; over them the worker is killed.
    memory_limit: bytes a worker may have resident; looked at 20 times a second.
    queue_limit: evaluations that may wait; beyond it EngineBusy for whoever holds most of the queue.
    patience: seconds an evaluation may wait in the queue before EngineBusy.
    quarantine_after: this many killed workers within an hour, and a bundle is not run until they are that old.
    first: a worker that was launched already, with this memory limit.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        compile_deadline: float = 30.0,
        evaluation_deadline: float = 2.0,
        memory_limit: int = MEMORY_LIMIT,
        queue_limit: int = 1000,
        patience: float = 30.0,
        quarantine_after: int = 3,
        first: Launched | None = None,
    ) -> None:
        self._info: EngineInfo | None = None
        self._compile_deadline = compile_deadline
        self._evaluation_deadline = evaluation_deadline
        self._quarantine = Quarantine(after=quarantine_after)
        self._compiled = Once[frozenset[str]]()
        self._pool = WorkerPool(
            workers=workers or min(os.cpu_count() or 1, _WORKERS_AT_MOST),
            queue_limit=queue_limit,
            memory_limit=memory_limit,
            compile_deadline=compile_deadline,
            patience=patience,
            first=first,
        )

    @property
    def info(self) -> EngineInfo:
        """`opa-library` and the OPA version inside. Raises EngineUnavailable."""
        if self._info is None:  # asked for every decision, and read from files
            bindings = bindings_version()
            self._info = EngineInfo(name="opa-library", version=_OPA_VERSION_OF.get(bindings, f"bindings {bindings}"))
        return self._info

    async def start(self) -> None:
        """See the port."""
        self._pool.start()

    async def parse(
        self, modules: Mapping[str, str], *, fair_share: str = "", deadline: float | None = None
    ) -> Mapping[str, Json | Problem]:
        """See the port."""
        if not modules:
            return {}
        asked = ((path, {"path": path, "source": source}) for path, source in modules.items())
        body = in_pieces(*(json.dumps(text).encode() for pair in asked for text in pair))
        job = Job(kind=Kind.PARSE, body=body, deadline=self._compiling(deadline), share=fair_share)
        answer = json.loads(await self._pool.run(job))
        return {path: _tree(path, envelope) for path, envelope in answer.items()}

    async def compile(self, bundle: Bundle, *, fair_share: str = "", deadline: float | None = None) -> None:
        """See the port."""
        await self._pinned(bundle, fair_share, deadline)

    async def evaluate(self, evaluation: Evaluation) -> Mapping[str, PolicyValues | PolicyFailure]:
        """See the port."""
        pinned = await self._pinned(evaluation.bundle, evaluation.fair_share)
        return await evaluated(evaluation, partial(self._pass, pinned), self._quarantine, deadline=self._deadline(evaluation))

    async def test(self, bundle: Bundle, *, coverage: bool = False) -> TestReport:
        """See the port."""
        self._quarantine.check(bundle.digest, bundle.name)
        from policies.engines import rego_tests

        trees = await self._load(bundle, tests=True)
        return await rego_tests.run(bundle, trees, self._ask, coverage=coverage)

    async def close(self) -> None:
        """See the port."""
        await self._pool.close()

    async def _pinned(self, bundle: Bundle, share: str, deadline: float | None = None) -> frozenset[str]:
        """What has to be pinned in this bundle's queries; it is compiled then."""
        self._quarantine.check(bundle.digest, bundle.name)
        return await self._compiled.do(bundle.digest, lambda: self._compile(bundle, share, deadline))

    async def _compile(self, bundle: Bundle, share: str, deadline: float | None) -> frozenset[str]:
        return reached_by((await self._load(bundle, tests=False, share=share, deadline=deadline)).values())

    async def _load(self, bundle: Bundle, *, tests: bool, share: str = "", deadline: float | None = None) -> Mapping[str, Json | Problem]:
        trees = await self.parse({**bundle.modules, **(bundle.tests if tests else {})}, fair_share=share, deadline=deadline)
        problems = refusals(bundle, trees)
        if problems:
            raise BundleRefused(bundle.name, problems)
        job = Job(kind=Kind.LOAD, deadline=self._compiling(deadline), bundle=bundle, tests=tests, share=share)
        try:
            answer = json.loads(await self._pool.run(job))
        except (EngineTimedOut, EngineCrashed):
            self._quarantine.strike(bundle.digest)
            raise
        if answer:
            raise BundleRefused(bundle.name, [problem for envelope in answer for problem in problems_in(_told(envelope))])
        return trees

    async def _pass(
        self, pinned: frozenset[str], evaluation: Evaluation, queries: tuple[PolicyQuery, ...]
    ) -> Mapping[str, PolicyValues] | PolicyFailure:
        asked = one_pass(queries, evaluation.input, evaluation.time, pinned, source=f"{GIVEN}()", in_text=_IN_TEXT)
        job = Job(
            kind=Kind.EVALUATE,
            bundle=evaluation.bundle,
            query=asked.text,
            body=asked.given,
            deadline=self._deadline(evaluation),
            share=evaluation.fair_share,
        )
        envelope = json.loads(await self._pool.run(job))
        if envelope.get("error"):
            return PolicyFailure(kind=FailureKind.FAILED, message=envelope["error"]["message"].replace(GIVEN, "input"))
        return asked.values(envelope["result"][0]["bindings"]["answer"])

    def _compiling(self, deadline: float | None) -> float:
        return self._compile_deadline if deadline is None else deadline

    def _deadline(self, evaluation: Evaluation) -> float:
        return evaluation.deadline if evaluation.deadline is not None else self._evaluation_deadline

    async def _ask(self, bundle: Bundle, queries: Sequence[str], *, coverage: bool, trace: bool) -> list[Envelope]:
        body = bytes((coverage, trace)) + in_pieces(*(query.encode() for query in queries))
        job = Job(kind=Kind.ASK, bundle=bundle, tests=True, body=body, deadline=self._evaluation_deadline * max(1, len(queries)))
        answers = json.loads(await self._pool.run(job))
        assert isinstance(answers, list)
        return answers


def _told(envelope: Mapping[str, Json]) -> str:
    """Why the library did not take it; what is no reason is told as it is."""
    error = envelope.get("error")
    return str(error["message"] if isinstance(error, dict) else envelope)


def _tree(path: str, envelope: Mapping[str, Json]) -> Json | Problem:
    error = envelope.get("error")
    if isinstance(error, dict):
        found = problems_in(str(error["message"]).partition("rego.parse_module: ")[2] or str(error["message"]))
        return replace(found[0], path=path)
    result = envelope["result"]
    assert isinstance(result, list)
    return result[0]["bindings"]["tree"]  # type: ignore[index,call-overload]
