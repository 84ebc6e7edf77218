"""Judging without a gateway: bundles from folders, documents from files, changes from their forge, nothing kept."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from gateway import wiring
from gateway.cli.outputs import Checked
from gateway.config import Settings
from gateway.domain.admission import change_ref, merge_request, provided_ref
from gateway.domain.clock import utc_now
from gateway.domain.record import Decision, FactsOrigin, Generation
from gateway.operations.judge import Judge
from gateway.operations.own_policies import read_own_policies
from policies.bundles import Bundle
from policies.bundles.checking import checked_bundle
from policies.document import request_from_document
from policies.errors import BundleRefused, EngineBusy, NotCanonical, Problem, RequestRefused
from providers.errors import ProviderError
from providers.vcs import Change, Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Judges inputs one by one. at: the time of every judgement; None = a document's own, or now."""

    judge: Judge
    settings: Settings
    at: datetime | None

    async def document(self, source: str) -> Checked:
        """A file of one input document, or `-`."""
        try:
            document = _read(source)
            if self.at is not None and isinstance(document, dict):
                document.pop("time", None)
            request = request_from_document(document, at=self.at or utc_now())
            decision, _ = await self.judge(request, facts=FactsOrigin.PROVIDED, change=provided_ref(request))
        except (OSError, ValueError, RequestRefused, NotCanonical, EngineBusy) as problem:
            return Checked(source=source, result=str(problem))
        return Checked(source=source, result=decision)

    async def change(self, url: str) -> Checked:
        """A real change, through the connection it belongs to."""
        for connection in self.settings.connections:
            forge = wiring.build_forge(connection)
            try:
                if (key := forge.locate(url)) is not None:
                    return Checked(source=url, result=await self._decided(forge, await forge.read_change(key)))
            except (ProviderError, NotCanonical, EngineBusy) as problem:
                return Checked(source=url, result=f"the change could not be read: {problem}")
            finally:
                await forge.close()
        return Checked(source=url, result="this is not a change of any connection; add its forge under `connections:` in admit.yaml")

    async def _decided(self, forge: Forge, change: Change) -> Decision:
        request = merge_request(change, at=self.at or utc_now())
        own = await read_own_policies(forge, change)
        decision, _ = await self.judge(request, facts=FactsOrigin.GATHERED, change=change_ref(change), own=own)
        return decision


@asynccontextmanager
async def dry_run(settings: Settings, *, at: datetime | None) -> AsyncIterator[DryRun]:
    """Everything a dry run needs, taken down afterwards. Raises BundleRefused, EngineUnavailable, and what relations raise."""
    engine = wiring.build_engine(settings.engine)
    relations = wiring.build_relations(settings.relations)
    try:
        bundles = tuple(
            [
                await checked_bundle(files, engine, run_tests=False)
                for source in wiring.build_bundle_sources(settings.bundles)
                for files in await source.bundles()
            ]
        )
        if not bundles:
            raise BundleRefused("none", [Problem(message="no bundle to judge by", advice="name a folder with --policies DIR")])
        generation = Generation(number=0, activated_at=utc_now(), bundles=tuple(bundle.id for bundle in bundles), by="dry run")

        async def in_force() -> tuple[Generation, tuple[Bundle, ...]]:
            return generation, bundles

        yield DryRun(judge=Judge(in_force=in_force, engine=engine, relations=relations, clock=utc_now), settings=settings, at=at)
    finally:
        await relations.close()
        await engine.close()


def _read(source: str) -> object:
    """The document: JSON, or YAML where the name says so. Raises OSError, ValueError."""
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
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
