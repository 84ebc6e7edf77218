"""`admit submit`: ask a running gateway for a workflow to be run; and `admit approve`, `admit refuse` for held changes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from
from gateway.cli.remote import Url

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept and shown.", show_default=False)]
_SOURCE = re.compile(r"(?:(?P<connection>[a-z0-9-]+):)?(?P<repository>[^@:\s]+)@(?P<ref>[^:\s]+):(?P<sha>[0-9A-Za-z]+)")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(submit)
    app.command()(approve)
    app.command()(refuse)


def submit(
    workflow: Annotated[str, typer.Argument(help="Its name in admit.yaml.")],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="The input, field by field; 3 and true are no texts.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Where; by default the first it may run on.", show_default=False)] = None,
    input: Annotated[str | None, typer.Option(help="The input as a JSON file, - for standard input.", show_default=False)] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Several by saying it again.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option(metavar="[CONNECTION:]OWNER/NAME@REF:SHA", help="The commit it runs with.", show_default=False)
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency-Key: asking again under it is answered the same.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; exit 1 unless it succeeds.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Ask for a workflow to be run. Exit 0: admitted or held, 1: denied, 2: it could not be decided or asked.

    ADMIT_TOKEN says who asks.

    Example: `admit submit deploy place=earth --label environment=production --wait`
    """
    from gateway.cli.remote import Refused, ask

    configure_logs(quiet=True)
    with plain_errors():
        body = {"workflow": workflow, "target": target, "labels": _texts(label or []), "source": _source(source)}
        body["input"] = {**_read(input), **_values(fields or [])}
        base = url or settings_from(config).public_url
        headers = {"Idempotency-Key": key} if key else {}
        try:
            said = ask("POST", base, "/v1/submissions", json=body, headers=headers)
        except Refused as refused:
            if refused.said.get("outcome") != "denied":
                raise
            _denied(refused.said, as_json)
            raise typer.Exit(1) from None
    if as_json and not wait:
        typer.echo(json.dumps(said, indent=2))
    elif not wait:
        typer.echo(_told(said))
    if wait:
        from gateway.cli.submission import follow_to_the_end

        with plain_errors():
            raise typer.Exit(0 if follow_to_the_end(base, said["id"], as_json=as_json) == "succeeded" else 1)


def approve(
    connection: Annotated[str, typer.Argument(help="The connection, as admit.yaml names it.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME")],
    number: Annotated[int, typer.Argument(help="The change's number.")],
    reason: Reason = None,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Release a change that waits for people, as one of them (ADMIT_TOKEN says who). Submissions: `admit submissions approve`.

    Example: `admit approve work acme/app 7 --reason "looks right"`
    """
    _say("approve", connection, repository, number, reason, url, config)


def refuse(
    connection: Annotated[str, typer.Argument(help="The connection, as admit.yaml names it.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME")],
    number: Annotated[int, typer.Argument(help="The change's number.")],
    reason: Reason = None,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Deny a change that waits for people, as one of them. Approving it later takes that back.

    Example: `admit refuse work acme/app 7 --reason "not before the audit"`
    """
    _say("refuse", connection, repository, number, reason, url, config)


def _say(word: str, connection: str, repository: str, number: int, reason: str | None, url: str | None, config: Path | None) -> None:
    from gateway.cli.remote import ask

    configure_logs(quiet=True)
    with plain_errors():
        path = f"/v1/changes/{quote(connection, safe='')}/{quote(repository)}/{number}/{word}"
        ask("POST", url or settings_from(config).public_url, path, json={"reason": reason})
    typer.echo(f"{repository}#{number}: taken down, and it is judged again")


def _told(said: dict[str, Any]) -> str:
    from gateway.cli.safe_text import one_line

    lines = [f"{said['state']}: {said['workflow']} on {said['target']}, submission {said['id']}"]
    for hold in said["decision"]["holds"]:
        until = f", until {hold['expires_at']}" if hold["expires_at"] else ""
        lines.append(f"  waits: {one_line(hold['message'])} ({hold['count']} × {hold['relation']} of {hold['object']}{until})")
    return "\n".join(lines)


def _denied(said: dict[str, Any], as_json: bool) -> None:
    from gateway.cli.safe_text import one_line

    if as_json:
        typer.echo(json.dumps(said, indent=2))
        return
    typer.echo("denied:")
    for violation in said["violations"]:
        typer.echo(f"  {one_line(violation['message'])}")
        if violation["remedy"]:
            typer.echo(f"    → {one_line(violation['remedy'])}")


def _texts(pairs: list[str]) -> dict[str, str]:
    return dict(_pair(pair, "--label") for pair in pairs)


def _values(pairs: list[str]) -> dict[str, Any]:
    from gateway.domain.comment_command import field_value

    return {name: field_value(text) for name, text in (_pair(pair, "KEY=VALUE") for pair in pairs)}


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"expected key=value, found {text!r}", param_hint=what)
    return name, value


def _source(text: str | None) -> dict[str, str | None] | None:
    if text is None:
        return None
    found = _SOURCE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"expected owner/name@ref:sha, found {text!r}", param_hint="--source")
    return found.groupdict()


def _read(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text())
    except (OSError, ValueError) as problem:
        raise typer.BadParameter(f"{file} cannot be read as JSON: {problem}", param_hint="--input") from problem
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{file} holds no JSON object", param_hint="--input")
    return found
