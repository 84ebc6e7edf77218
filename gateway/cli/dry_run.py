"""Judging without a gateway: documents from files, changes from their forge, nothing kept."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from gateway import wiring
from gateway.cli.outputs import Checked
from gateway.domain.admission import provided_ref
from gateway.domain.clock import utc_now
from gateway.domain.record import FactsOrigin, Generation
from gateway.operations.judge import Judge
from policies.bundles import Bundle
from policies.document import request_from_document
from policies.engines import PolicyEngine
from policies.errors import EngineBusy, NotCanonical, RequestRefused
from policies.loop import together
from policies.values import value

if TYPE_CHECKING:
    from gateway.config import Connection, Settings
    from policies.relations import Relations

_AT_ONCE = 64
"""Documents judged at once: enough to keep the engine busy, and fewer than may wait for it."""


@value
class Basis:
    """What a dry run judges by. connections: where real changes may be read from."""

    engine: PolicyEngine
    relations: Relations
    bundles: tuple[Bundle, ...]
    connections: Sequence[Connection] = ()

    @classmethod
    def of(cls, settings: Settings | None, *, engine: PolicyEngine, bundles: tuple[Bundle, ...], relations: Path | None) -> Basis:
        """What is named goes before what the configuration says, where there is one. Raises what relations raise."""
        return cls(
            engine=engine,
            relations=_answering(settings, relations),
            bundles=bundles,
            connections=settings.connections if settings else (),
        )


def _answering(settings: Settings | None, file: Path | None) -> Relations:
    if file is not None:
        return wiring.relations_of_file(file)
    if settings is not None and settings.relations == "local":
        from gateway.cli.kept_relations import KeptRelations

        return KeptRelations(settings)
    return wiring.build_relations(settings.relations if settings else None)


@value
class DryRun:
    """Judges inputs one by one. at: the time of every judgement; None = a document's own, or now."""

    judge: Judge
    basis: Basis
    at: datetime | None

    async def documents(self, sources: Sequence[str]) -> list[Checked]:
        """Files of one input document each, or `-`, in order."""
        waiting, found = iter(enumerate(sources)), dict[int, Checked]()

        async def one_after_another() -> None:
            for number, source in waiting:
                found[number] = await self.document(source)

        await together(*(one_after_another() for _ in range(min(_AT_ONCE, len(sources)))))
        return [found[number] for number in range(len(sources))]

    async def document(self, source: str) -> Checked:
        """A file of one input document, or `-`."""
        try:
            document = _read(source)
            if self.at is not None and isinstance(document, dict):
                document.pop("time", None)
            request = request_from_document(document, at=self.at or utc_now())
            decision, _ = await self.judge(request, facts=FactsOrigin.PROVIDED, change=provided_ref(request))
        except OSError as problem:
            return Checked(source=source, result=f"expected a document at {source}, found: {problem.strerror or problem}")
        except (ValueError, RequestRefused, NotCanonical, EngineBusy) as problem:
            return Checked(source=source, result=str(problem))
        return Checked(source=source, result=decision)

    async def change(self, url: str) -> Checked:
        """A real change, through the connection it belongs to."""
        from gateway.cli.real_change import judged_change

        return Checked(source=url, result=await judged_change(url, self.basis.connections, self.judge, at=self.at))


@asynccontextmanager
async def dry_run(basis: Basis, *, at: datetime | None) -> AsyncIterator[DryRun]:
    """Judges by the bundles; the engine is the caller's to close."""
    try:
        bundles = basis.bundles
        generation = Generation(number=0, activated_at=utc_now(), bundles=tuple(bundle.id for bundle in bundles), by="dry run")

        async def in_force() -> tuple[Generation, tuple[Bundle, ...]]:
            return generation, bundles

        judge = Judge(in_force=in_force, engine=basis.engine, relations=basis.relations, clock=utc_now)
        yield DryRun(judge=judge, basis=basis, at=at)
    finally:
        await basis.relations.close()


def _read(source: str) -> object:
    """The document: JSON, or YAML where the name says so. Raises OSError, ValueError."""
    text = sys.stdin.read() if source == "-" else _bytes(source).decode().removeprefix("\ufeff")
    try:
        if source.endswith((".yaml", ".yml")):
            return yaml.safe_load(text)
        return json.loads(text)
    except yaml.YAMLError as problem:
        raise ValueError(f"{source} is not YAML: {problem}") from problem
    except RecursionError as problem:
        raise ValueError(f"{source} is nested too deeply") from problem
    except ValueError as problem:
        raise ValueError(f"{source} is not JSON: {problem}") from problem


def _bytes(source: str) -> bytes:
    """Of a file, without what a `Path` is made of: documents may come by the thousand."""
    with open(source, "rb", buffering=0) as file:
        return file.read()
