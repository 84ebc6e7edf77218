"""`admit doctor`: what is configured, what is reachable, what is missing and how to get it."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.doctor_forges import look_at
from gateway.cli.doctor_record import record_findings
from gateway.cli.edge import ConfigFile, plain_errors, settings_from
from gateway.cli.findings import Finding, bad

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.config_targets import TargetSettings


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    config: ConfigFile = None,
    json_output: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say what is configured, what is reachable, what is missing and how to get it. Exit 1 if anything is missing.

    Example: `admit doctor --config admit.yaml`
    """
    with plain_errors():
        settings = settings_from(config, tell=True)
    findings = asyncio.run(_all(settings))
    if json_output:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok     ' if finding.well else 'MISSING'} {finding.what}: {finding.says}")
            if finding.advice and not finding.well:
                typer.echo(f"        → {finding.advice}")
    raise typer.Exit(0 if all(finding.well for finding in findings) else 1)


async def _all(settings: Settings) -> list[Finding]:
    return [finding async for finding in _findings(settings)]


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    from importlib.metadata import version

    from gateway import wiring
    from gateway.errors import GatewayError
    from policies.errors import PolicyError
    from policies.proving import proven_bundle
    from providers.errors import ProviderError

    known = (GatewayError, PolicyError, ProviderError)
    yield Finding(what="admit", well=True, says=f"{version('admittance')} on Python {platform.python_version()}")
    if not settings.bundles:
        yield Finding(what="bundles", well=False, says="none is configured: nothing can be admitted", advice="name one under `bundles:`")
    if not settings.connections:
        yield Finding(what="connections", well=True, says="none is configured: only what is posted to /v1/admissions is judged")
    engine = None
    try:
        engine = wiring.build_engine(settings.engine)
        await engine.parse({"probe.rego": "package probe\n"})
        yield Finding(what="engine", well=True, says=f"{engine.info.name} {engine.info.version}")
    except known as problem:
        yield bad("engine", problem)
    for folder in settings.bundles:
        try:
            if engine is not None:
                for source in wiring.build_bundle_sources([folder]):
                    for files in await source.bundles():
                        bundle = await proven_bundle(files, engine, opa=wiring.opa_binary(settings.engine))
                        says = f"{len(bundle.policies)} policies, revision {bundle.revision}"
                        yield Finding(what=f"bundle {bundle.name}", well=True, says=says)
        except known as problem:
            yield bad(f"bundle {folder}", problem)
    if engine is not None:
        await engine.close()
    yield await _database(settings)
    async for finding in record_findings(settings):
        yield finding
    try:
        yield Finding(what="relations", well=True, says=await wiring.probe_relations(settings.relations))
    except known as problem:
        yield bad("relations", problem)
    for connection in settings.connections:
        async for finding in look_at(connection):
            yield finding
    for target in settings.targets:
        yield await _target(target)


async def _target(settings: TargetSettings) -> Finding:
    from gateway.errors import GatewayError
    from gateway.wiring_targets import build_target
    from providers.errors import ProviderError

    what = f"target {settings.name}"
    try:
        target = build_target(settings)
        try:
            return Finding(what=what, well=True, says=await target.probe())
        finally:
            await target.close()
    except (GatewayError, ProviderError) as problem:
        return bad(what, problem)


async def _database(settings: Settings) -> Finding:
    from gateway import wiring
    from gateway.errors import GatewayError
    from providers.errors import ProviderError

    what = f"database {settings.database.partition(':')[0]}"
    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not _exists(file):
        return Finding(what=what, well=True, says=f"{file} will be made at the first start")
    try:
        database = wiring.build_database(settings)
        try:
            await wiring.build_storage(database).ready()
        finally:
            await database.close()
    except (GatewayError, ProviderError) as problem:
        return bad(what, problem)
    return Finding(what=what, well=True, says="answers, and its schema is this version's")


def _exists(file: str) -> bool:
    return Path(file).exists()
