"""`admit submissions`: what was submitted to a running gateway, seen and steered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from
from gateway.cli.remote import Url
from gateway.cli.submit import AsJson, Reason

submissions = typer.Typer(no_args_is_help=True, help="Workflows people asked to run: seen, released, refused, stopped.")

Id = Annotated[str, typer.Argument(help="The submission's id.")]


def register(app: typer.Typer) -> None:
    """Add the sub-application."""
    app.add_typer(submissions, name="submissions")


@submissions.command("list")
def list_them(
    state: Annotated[str | None, typer.Option(help="held, admitted, running, succeeded …", show_default=False)] = None,
    workflow: Annotated[str | None, typer.Option(show_default=False)] = None,
    target: Annotated[str | None, typer.Option(show_default=False)] = None,
    subject: Annotated[str | None, typer.Option(metavar="REF", help="Who asked.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """The newest first.

    Example: `admit submissions list --state held`
    """
    chosen = {"state": state, "workflow": workflow, "target": target, "subject": subject, "limit": limit}
    with _asking(url, config) as ask:
        found = ask("GET", "", params={name: value for name, value in chosen.items() if value is not None})["submissions"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for item in found:
        typer.echo(
            f"{item['state']:<10} {item['id']}  {item['workflow']} on {item['target']}, by {_safe(item['subject']['login'])}, {item['at']}"
        )


@submissions.command()
def show(id: Id, as_json: AsJson = False, url: Url = None, config: ConfigFile = None) -> None:
    """One, with what it waits for, what people said, and how its run goes.

    Example: `admit submissions show ID`
    """
    with _asking(url, config) as ask:
        said = ask("GET", f"/{quote(id, safe='')}")
    typer.echo(json.dumps(said, indent=2) if as_json else _shown(said))


@submissions.command()
def watch(id: Id, as_json: AsJson = False, url: Url = None, config: ConfigFile = None) -> None:
    """Follow it live to its end. Exit 0 where it succeeded, else 1.

    Example: `admit submissions watch ID`
    """
    configure_logs(quiet=True)
    with plain_errors():
        state = follow_to_the_end(url or settings_from(config).public_url, id, as_json=as_json)
    raise typer.Exit(0 if state == "succeeded" else 1)


@submissions.command()
def cancel(id: Id, url: Url = None, config: ConfigFile = None) -> None:
    """Stop it: what has not started does not, and a run is asked to end.

    Example: `admit submissions cancel ID`
    """
    with _asking(url, config) as ask:
        said = ask("POST", f"/{quote(id, safe='')}/cancel")
    typer.echo(f"{said['id']} is being cancelled (it is {said['state']})")


@submissions.command()
def approve(id: Id, reason: Reason = None, url: Url = None, config: ConfigFile = None) -> None:
    """Release what waits for people, as one of them (ADMIT_TOKEN says who).

    Example: `admit submissions approve ID --reason "looks right"`
    """
    with _asking(url, config) as ask:
        ask("POST", f"/{quote(id, safe='')}/approve", json={"reason": reason})
    typer.echo(f"{id}: approved; the policies are asked again before anything starts")


@submissions.command()
def refuse(id: Id, reason: Reason = None, url: Url = None, config: ConfigFile = None) -> None:
    """End what waits for people, as one of them.

    Example: `admit submissions refuse ID --reason "not on a Friday"`
    """
    with _asking(url, config) as ask:
        ask("POST", f"/{quote(id, safe='')}/refuse", json={"reason": reason})
    typer.echo(f"{id}: refused")


def follow_to_the_end(base: str, id: str, *, as_json: bool) -> str:
    """Print each of its states as it comes; the last."""
    from gateway.cli.remote import follow

    state, last = "", None
    for now in follow(base, f"/v1/submissions/{quote(id, safe='')}/events"):
        state, line = str(now["state"]), _line(now)
        if as_json:
            typer.echo(json.dumps(now))
        elif line != last:
            typer.echo(line)
        last = line
    return state


def _line(now: dict[str, Any]) -> str:
    run = now["run"]
    there = f" ({_safe(run['words'])} there{', ' + _safe(run['message']) if run['message'] else ''})" if run else ""
    return f"{now['id']}  {now['state']}{there}"


def _shown(said: dict[str, Any]) -> str:
    lines = [f"{said['state']}: {said['workflow']} on {said['target']}, asked by {_safe(said['subject']['login'])} at {said['at']}"]
    decision = said["decision"]
    lines.append(f"  decided: {decision['outcome']}: {_safe(decision['reason'])} (decision {decision['id']})")
    if said["state"] == "held":
        lines += [f"  waits for {hold['count']} × {hold['relation']} of {hold['object']}" for hold in decision["holds"]]
        lines += [f"  until {said['held_until']}"] if said["held_until"] else []
    lines += [f"  {_safe(word['name'])} {word['word']} at {word['at']}: {_safe(word['reason'] or '')}" for word in said["approvals"]]
    if (run := said["run"]) is not None:
        lines.append(f"  run {_safe(run['id'])}: {_safe(run['words'])}{', ' + _safe(run['url']) if run['url'] else ''}")
    return "\n".join(lines)


@contextmanager
def _asking(url: str | None, config: Path | None) -> Iterator[Any]:
    """A way to ask under `/v1/submissions`; what is refused because of what was asked is exit code 1."""
    from gateway.cli.remote import Refused, ask

    configure_logs(quiet=True)
    with plain_errors():
        base = url or settings_from(config).public_url
        try:
            yield lambda method, path, **request: ask(method, base, f"/v1/submissions{path}", **request)
        except Refused as refused:
            if refused.status not in {403, 404, 409, 422}:
                raise
            typer.echo(f"admit: {refused}", err=True)
            if refused.advice:
                typer.echo(f"  → {refused.advice}", err=True)
            raise typer.Exit(1) from refused


def _safe(text: str) -> str:
    from gateway.cli.safe_text import one_line

    return one_line(str(text))
