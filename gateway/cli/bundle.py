"""`admit bundle`: build, publish and steer bundles, and see what their policies look at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from
from gateway.cli.remote import Url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config import Settings
    from policies.bundles import Bundle, BundleFiles
    from policies.footprint import Footprint
    from policies.model import PolicyId

bundle = typer.Typer(no_args_is_help=True, help="Build, publish and steer bundles.")

Source = Annotated[Path, typer.Argument(metavar="DIR", help="The bundle: a folder, or a tar.gz file.", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The bundle's name.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


class EnforcementName(StrEnum):
    """As in `policies.Enforcement`, and `manifest` for what bundle.yaml says."""

    DENY = "deny"
    WARN = "warn"
    DRYRUN = "dryrun"
    MANIFEST = "manifest"


def register(app: typer.Typer) -> None:
    """Add the sub-application."""
    app.add_typer(bundle, name="bundle")


@bundle.command()
def build(
    folder: Source,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default NAME.tar.gz here.")] = None,
    tests: Annotated[bool, typer.Option("--tests/--no-tests", help="Run the bundle's own tests and cases first.")] = True,
    config: ConfigFile = None,
) -> None:
    """Check a bundle and pack it: the same files give the same bytes, on every machine.

    Example: `admit bundle build bundles/acme -o acme.tar.gz`
    """
    configure_logs(quiet=True)
    with plain_errors():
        from policies.bundles.archive import packed

        (checked,) = asyncio.run(_checked(settings_from(config), [folder], run_tests=tests))
        target = output or Path(f"{checked.name}.tar.gz")
        try:
            target.write_bytes(packed(checked.files))
        except OSError as problem:
            raise typer.BadParameter(f"{target} cannot be written: {problem.strerror}", param_hint="--output") from problem
        typer.echo(f"{target}: {checked.name}, revision {checked.revision}, {checked.digest}")


@bundle.command()
def push(folder: Source, url: Url = None, config: ConfigFile = None) -> None:
    """Publish a bundle to a running gateway, which checks it and runs its tests and cases first. Token: ADMIT_TOKEN.

    Exit code: 0 in force, 1 refused, 2 could not be published.

    Example: `ADMIT_TOKEN=… admit bundle push bundles/acme --url https://admit.example.com`
    """
    with _refusals():
        from policies.bundles.archive import packed
        from policies.bundles.directory import read_bundle
        from policies.bundles.manifest import ManifestRefused, read_manifest
        from policies.errors import BundleRefused

        files = read_bundle(folder)
        with _lines_of(files):
            try:
                name = read_manifest(files.files).name
            except ManifestRefused as refused:
                raise BundleRefused(files.name, refused.problems) from refused
            asyncio.run(_second_opinion(settings_from(config), files))
            headers = {"Content-Type": "application/gzip"}
            _say(_ask("PUT", url, config, f"/v1/bundles/{quote(name)}", content=packed(files.files), headers=headers))


@bundle.command("list")
def list_bundles(url: Url = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """What is in force at a running gateway.

    Example: `admit bundle list`
    """
    with _refusals():
        found = _ask("GET", url, config, "/v1/bundles")
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
            return
        for each in found["bundles"]:
            by = "by file" if each["managed_by"] == "file" else "published"
            policies = f"{each['policies']:>3} {'policy' if each['policies'] == 1 else 'policies'}"
            typer.echo(f"{each['name']:<30} {each['revision']:<14} {policies:<12}  {by}  {each['digest']}")
        if found["generation"]:
            typer.echo(f"generation {found['generation']['number']}, since {found['generation']['activated_at']}")


@bundle.command()
def activate(name: Name, revision: str, url: Url = None, config: ConfigFile = None) -> None:
    """Bring an earlier revision, by its label or its digest, into force again.

    Example: `admit bundle activate acme r41`
    """
    with _refusals():
        _say(_ask("POST", url, config, f"/v1/bundles/{quote(name)}/activate", json={"revision": revision}))


@bundle.command()
def rollback(name: Name, url: Url = None, config: ConfigFile = None) -> None:
    """Bring the revision before the one in force into force again.

    Example: `admit bundle rollback acme`
    """
    with _refusals():
        from gateway.errors import UnknownThing

        revisions = _ask("GET", url, config, f"/v1/bundles/{quote(name)}/revisions")["revisions"]
        current = next((number for number, revision in enumerate(revisions) if revision["in_force"]), -1)
        if current + 1 >= len(revisions):
            raise UnknownThing(f"bundle '{name}' has no revision before {revisions[current]['revision']}")
        body = {"revision": revisions[current + 1]["digest"]}
        _say(_ask("POST", url, config, f"/v1/bundles/{quote(name)}/activate", json=body))


@bundle.command()
def enforce(name: Name, package: str, enforcement: EnforcementName, url: Url = None, config: ConfigFile = None) -> None:
    """Let one policy deny, warn or run dry without a new revision; `manifest`: as bundle.yaml says.

    Example: `admit bundle enforce acme merge.approvals deny`
    """
    with _refusals():
        chosen = None if enforcement is EnforcementName.MANIFEST else enforcement.value
        body = {"package": package, "enforcement": chosen}
        answer = _ask("POST", url, config, f"/v1/bundles/{quote(name)}/enforcement", json=body)
        now = next(policy["enforcement"] for policy in answer["policies"] if policy["package"] == package)
        typer.echo(f"{name}/{package}: {now}, in generation {answer['generation']['number']}")


@bundle.command()
def remove(name: Name, url: Url = None, config: ConfigFile = None) -> None:
    """Take a bundle out of force. Its revisions stay, and can be activated again.

    Example: `admit bundle remove acme`
    """
    with _refusals():
        answer = _ask("DELETE", url, config, f"/v1/bundles/{quote(name)}")
        typer.echo(f"{name}: not in force since generation {answer['generation']['number']}")


@bundle.command()
def impact(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR…", help="Bundles; by default those of admit.yaml.", show_default=False)
    ] = None,
    recorded: Annotated[
        int | None,
        typer.Option(min=1, metavar="COUNT", help="Judge so many recorded decisions by them instead.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Which policies look at labels, comments, files and everything else; with --recorded, which past decisions would change.

    Example: `admit bundle impact bundles/acme`

    Example: `admit bundle impact bundles/acme --recorded 500`
    """
    configure_logs(quiet=True)
    with plain_errors():
        settings = settings_from(config)
        if recorded is not None:
            from gateway.cli.what_if import what_if

            typer.echo(asyncio.run(what_if(settings, folders or list(settings.bundles), recorded, as_json=as_json)))
            return

        from gateway.cli.impact import documents, lines

        reads = asyncio.run(_footprints(settings, folders or list(settings.bundles)))
        text = json.dumps(documents(reads), indent=2, ensure_ascii=False) if as_json else "\n".join(lines(reads))
        typer.echo(text)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the gateway refuses because of what was asked is exit code 1; everything else that fails is 2."""
    from gateway.cli.remote import Refused

    configure_logs(quiet=True)
    with plain_errors():
        try:
            yield
        except Refused as refused:
            if refused.status not in {404, 409, 422}:
                raise
            typer.echo(f"admit: {refused}", err=True)
            if refused.advice:
                typer.echo(f"  → {refused.advice}", err=True)
            raise typer.Exit(1) from refused


@contextmanager
def _lines_of(files: BundleFiles) -> Iterator[None]:
    """What is refused in these files, here or by the gateway, is told with the lines it is about: they are here."""
    from gateway.cli.remote import Refused
    from gateway.cli.source_lines import told
    from policies.errors import BundleRefused, Problem

    try:
        yield
    except Refused as refused:
        problems = [Problem(**problem) for problem in refused.said.get("problems", ())]
        if not problems:
            raise
        here = BundleRefused(files.name, problems)
    except BundleRefused as refused:
        here = refused
    else:
        return
    here.files = files.files
    raise Refused("\n".join(told(here)), status=422)


def _ask(method: str, url: str | None, config: Path | None, path: str, **request: Any) -> Any:
    from gateway.cli.remote import ask

    return ask(method, url or settings_from(config).public_url, path, **request)


def _say(answer: dict[str, Any]) -> None:
    generation = answer["generation"]["number"]
    typer.echo(f"{answer['name']}: revision {answer['revision']} ({answer['digest']}) is in force, in generation {generation}")


async def _checked(settings: Settings, folders: Sequence[Path], *, run_tests: bool) -> list[Bundle]:
    from gateway import wiring
    from policies.bundles.checking import checked_bundle
    from policies.bundles.directory import read_bundle
    from policies.proving import proven_bundle

    engine = wiring.build_engine(settings.engine)
    try:
        opa = wiring.opa_binary(settings.engine)
        if run_tests:
            return [await proven_bundle(read_bundle(folder), engine, opa=opa) for folder in folders]
        return [await checked_bundle(read_bundle(folder), engine, run_tests=False, opa=opa) for folder in folders]
    finally:
        await engine.close()


async def _second_opinion(settings: Settings, files: BundleFiles) -> None:
    """Of the `opa` here: the gateway's machine may have none. Everything else is the gateway's to check."""
    from gateway import wiring
    from policies.bundles.contents import read_contents
    from policies.bundles.second_opinion import lost_by_opa
    from policies.errors import BundleRefused

    opa = wiring.opa_binary(settings.engine)
    lost = await lost_by_opa(read_contents(files.files).modules, opa) if opa else ()
    if lost:
        raise BundleRefused(files.name, lost)


async def _footprints(settings: Settings, folders: Sequence[Path]) -> dict[PolicyId, Footprint]:
    from gateway import wiring
    from gateway.errors import ConfigurationWrong
    from policies.bundles.checking import checked_bundle
    from policies.bundles.directory import read_bundle
    from policies.footprint import footprints

    if not folders:
        raise ConfigurationWrong("no bundle is named", advice="name a folder, or list it under `bundles:` in admit.yaml")
    engine = wiring.build_engine(settings.engine)
    try:
        reads: dict[PolicyId, Footprint] = {}
        for folder in folders:
            reads |= await footprints(await checked_bundle(read_bundle(folder), engine, run_tests=False), engine)
        return reads
    finally:
        await engine.close()
