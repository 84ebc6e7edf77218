"""`admit relations`: the model and tuples a running gateway answers relationship checks from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from
from gateway.cli.remote import Url, ask

relations = typer.Typer(no_args_is_help=True, help="Who is related to what: the model, the tuples, and questions with their proof.")

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
User = Annotated[
    str, typer.Argument(metavar="USER", help="user:CONNECTION/ID, person:NAME, team:CONNECTION/ID#member, …", show_default=False)
]
Relation = Annotated[str, typer.Argument(metavar="RELATION", help="As the model names it: owner, member, …", show_default=False)]
Object = Annotated[str, typer.Argument(metavar="OBJECT", help="repository:CONNECTION/ID, team:NAME, …", show_default=False)]

_AT_ONCE = 5000
"""Tuples sent in one request, which is one transaction."""
_PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the sub-application."""
    app.add_typer(relations, name="relations")


@relations.command()
def model(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="model.fga, model.json or fga.mod.", show_default=False)] = None,
    url: Url = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show the model in force, or bring the one in FILE into force. Token: ADMIT_TOKEN.

    Example: `admit relations model model.fga`
    """
    with plain_errors():
        if file is None:
            found = _ask("GET", url, config, "/model")
        else:
            content, kind = _model_content(file)
            found = _ask("PUT", url, config, "/model", content=content, headers={"Content-Type": kind})
    if as_json:
        _print_json(found)
    elif file is None:
        typer.echo(found["model"])
    else:
        count = found["not_allowed"]
        rest = f"; it does not allow {count} tuples, which are kept and count for nothing" if count else ""
        typer.echo(f"model {found['id']} is in force{rest}")


@relations.command()
def write(
    user: User,
    relation: Relation,
    object: Object,
    delete: Annotated[bool, typer.Option("--delete", help="Take it back.")] = False,
    condition: Annotated[str | None, typer.Option(help="It counts only where this condition holds.", show_default=False)] = None,
    context: Annotated[str, typer.Option(metavar="JSON", help="Values for the condition.")] = "{}",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Write one tuple, or delete it. Open changes whose answers move are judged again. Token: ADMIT_TOKEN.

    Example: `admit relations write person:ana account user:work/7 --delete`

    Example: `admit relations write user:work/7 deployer environment:prod --condition until --context '{"end": "2030-01-31T12:00:00Z"}'`
    """
    one: dict[str, Any] = {"user": user, "relation": relation, "object": object}
    if condition is not None:
        one["condition"] = {"name": condition, "context": _context(context)}
    with plain_errors():
        done = _ask("POST", url, config, "/tuples", json={"deletes" if delete else "writes": [one]})
    what = "deleted" if delete else "written"
    typer.echo(what if done[what] else f"nothing to do: it is {'not there' if delete else 'so already'}")


@relations.command()
def check(
    user: User,
    relation: Relation,
    object: Object,
    context: Annotated[str, typer.Option(metavar="JSON", help="Values for conditions.")] = "{}",
    url: Url = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Is USER RELATION of OBJECT, and why? Exit code: 0 yes, 1 no, 2 it cannot be answered. Token: ADMIT_TOKEN.

    Example: `admit relations check user:work/7 owner repository:work/12`
    """
    question = {"user": user, "relation": relation, "object": object, "context": _context(context)}
    with plain_errors():
        found = _ask("POST", url, config, "/check", json=question)
    if as_json:
        _print_json(found)
    else:
        typer.echo(f"{user} is {'' if found['allowed'] else 'not '}{relation} of {object}")
        for step in found["path"]:
            typer.echo(f"  {step}")
    raise typer.Exit(0 if found["allowed"] else 1)


@relations.command("import")
def import_store(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="OpenFGA's store file: a model and tuples.", show_default=False)],
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Bring a store file's model into force and write its tuples; those there already stay. Token: ADMIT_TOKEN.

    Each 5,000 tuples are one transaction. What stopped half-way is taken up by importing again.

    Example: `admit relations import store.fga.yaml`
    """
    with plain_errors():
        from gateway.storage.relation_documents import tuple_document
        from policies.relations.json_form import model_to_json
        from policies.relations.store_file import read_store_file

        store = read_store_file(file)
        kind = "application/json" if store.model_text is None else "text/plain"
        content = store.model_text or json.dumps(model_to_json(store.model), ensure_ascii=False)
        found = _ask("PUT", url, config, "/model", content=content.encode(), headers={"Content-Type": kind})
        counts = {"written": 0, "unchanged": 0}
        tuples = [tuple_document(one) for one in store.tuples]
        for start in range(0, len(tuples), _AT_ONCE):
            done = _ask("POST", url, config, "/tuples", json={"writes": tuples[start : start + _AT_ONCE]})
            counts = {name: count + done[name] for name, count in counts.items()}
    typer.echo(f"model {found['id']} is in force; {counts['written']} tuples written, {counts['unchanged']} were there already")


@relations.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default standard output.")] = None,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Write model and tuples as OpenFGA's store file, which `import`, `admit check --relations` and `fga` read. Token: ADMIT_TOKEN.

    Example: `admit relations export -o store.fga.yaml`
    """
    with plain_errors():
        found = _ask("GET", url, config, "/model")
        document: dict[str, Any] = {"name": "admittance"}
        if found["form"] == "dsl":
            document["model"] = found["model"]
        elif output is None:
            raise typer.BadParameter("the model is JSON and goes into a file beside the store's: name that one", param_hint="--output")
        else:
            beside = output.with_name(f"{output.name.partition('.')[0]}.model.json")
            document["model_file"] = beside.name
        document["tuples"], left_out = _allowed(found, _all_tuples(url, config))
    if left_out:
        typer.echo(f"admit: {left_out} tuples are left out, which the model does not allow and which count for nothing", err=True)
    text = _yaml(document)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        if "model_file" in document:
            beside.write_text(found["model"], encoding="utf-8")
        output.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise typer.BadParameter(f"{problem.filename} cannot be written: {problem.strerror}", param_hint="--output") from problem
    typer.echo(f"{output}: model {found['id']}, {len(document['tuples'])} tuples")


def _all_tuples(url: str | None, config: Path | None) -> Iterator[Mapping[str, Any]]:
    cursor: int | None = None
    while True:
        wanted = {"limit": _PAGE, **({} if cursor is None else {"cursor": cursor})}
        page = _ask("GET", url, config, f"/tuples?{urlencode(wanted)}")
        for one in page["tuples"]:
            yield {key: value for key, value in one.items() if key != "sources"}
        if (cursor := page["cursor"]) is None:
            return


def _allowed(model: Mapping[str, Any], tuples: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
    """Those the model allows, which a store file may hold; and how many others there are."""
    from gateway.storage.followed_tuples import parsed
    from policies.relations.sound_model import SoundModel
    from policies.relations.store_file import tuple_from_json

    sound = SoundModel(parsed(model["model"], model["form"]))
    every = list(tuples)
    allowed = [one for one in every if sound.why_not(tuple_from_json(dict(one))) is None]
    return allowed, len(every) - len(allowed)


def _model_content(file: Path) -> tuple[bytes, str]:
    """The model's bytes and their type; modules are put together here. Raises RelationsRefused, BadParameter."""
    try:
        if file.suffix == ".mod":
            from policies.relations.json_form import model_to_json
            from policies.relations.modules import combined, module_files

            files = {name: (file.parent / name).read_text(encoding="utf-8") for name in module_files(file.read_bytes(), file.name)}
            return json.dumps(model_to_json(combined(files)), ensure_ascii=False).encode(), "application/json"
        return file.read_bytes(), "application/json" if file.suffix == ".json" else "text/plain"
    except OSError as problem:
        raise typer.BadParameter(f"{problem.filename} cannot be read: {problem.strerror}", param_hint="FILE") from problem
    except UnicodeDecodeError as problem:
        raise typer.BadParameter(f"expected UTF-8 in the modules of {file}", param_hint="FILE") from problem


def _context(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as problem:
        raise typer.BadParameter(f"expected a JSON object: {problem}", param_hint="--context") from problem
    if not isinstance(found, dict):
        raise typer.BadParameter("expected a JSON object", param_hint="--context")
    return found


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    class Readable(yaml.SafeDumper):
        """A model on lines of its own."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Readable.add_representer(str, text)
    return yaml.dump(document, Dumper=Readable, sort_keys=False, allow_unicode=True, width=10_000)


def _ask(method: str, url: str | None, config: Path | None, path: str, **request: Any) -> Any:
    base = url or settings_from(config).public_url
    return ask(method, base, f"/v1/relations{path}", **request)


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
