"""Models in several files, schema 1.2: each a module, which may extend types of others; `fga.mod` names them.

https://openfga.dev/docs/modeling/modular-models. What is combined is an ordinary model; who wrote which
relation is not kept, places in messages carry the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from policies.bundles.text import Document, Unreadable, read_yaml
from policies.model import Json
from policies.relations.dsl import Module, parse_module
from policies.relations.model import AuthorizationModel, Condition, Position, Relation, TypeDefinition
from policies.relations.refusals import ModelProblem, ModelRefused
from policies.relations.soundness import HARMLESS, problems

SCHEMA = "1.2"


def combined(files: Mapping[str, str], *, schema_version: str = SCHEMA) -> AuthorizationModel:
    """The model these modules make together, by file name. Raises ModelRefused with the problems of all files.

    What the files say together is also asked for soundness there, since a refusal should name everything at once.
    """
    combining = _Combining()
    for file, text in files.items():
        combining.add(file, text)
    model = combining.model(schema_version)
    if combining.problems:
        raise ModelRefused([*combining.problems, *(one for one in problems(model) if one.code not in HARMLESS)])
    return model


class _Combining:
    def __init__(self) -> None:
        self.problems: list[ModelProblem] = []
        self._types: dict[str, TypeDefinition] = {}
        self._conditions: dict[str, Condition] = {}
        self._extensions: list[TypeDefinition] = []

    def add(self, file: str, text: str) -> None:
        try:
            module = parse_module(text, file)
        except ModelRefused as problem:
            self.problems.extend(problem.problems)
            return
        self._take(module)

    def _take(self, module: Module) -> None:
        for definition in (*module.types.values(), *module.repeated):
            if self._types.setdefault(definition.name, definition) is not definition:
                self._refuse("duplicate", f"the type '{definition.name}' is defined twice", definition.at)
        for condition in module.conditions.values():
            if self._conditions.setdefault(condition.name, condition) is not condition:
                self._refuse("duplicate", f"the condition '{condition.name}' is defined twice", condition.at)
        self._extensions.extend(module.extensions)

    def model(self, schema_version: str) -> AuthorizationModel:
        relations = {name: dict(definition.relations) for name, definition in self._types.items()}
        for extension in self._extensions:
            self._extend(relations, extension)
        types = {name: TypeDefinition(name=name, relations=relations[name], at=self._types[name].at) for name in self._types}
        return AuthorizationModel(schema_version=schema_version, types=types, conditions=self._conditions)

    def _extend(self, relations: dict[str, dict[str, Relation]], extension: TypeDefinition) -> None:
        target = relations.get(extension.name)
        if target is None:
            self._refuse("extend", f"there is no type '{extension.name}' to extend", extension.at)
            return
        for relation in extension.relations.values():
            if target.setdefault(relation.name, relation) is not relation:
                message = f"the relation '{relation.name}' of type '{extension.name}' is defined twice"
                self._refuse("duplicate", message, relation.at)

    def _refuse(self, code: str, message: str, at: Position | None) -> None:
        self.problems.append(ModelProblem(code=code, message=message, at=at))


def module_files(content: bytes, file: str = "fga.mod") -> tuple[str, ...]:
    """The files an `fga.mod` names, relative to it. Raises ModelRefused with every problem and its line."""
    try:
        document = read_yaml(file, content)
    except Unreadable as problem:
        raise ModelRefused([ModelProblem(code="fga-mod", message=str(problem))]) from problem
    top = document.value
    if not isinstance(top, Mapping):
        raise ModelRefused([ModelProblem(code="fga-mod", message=f"{file}: expected schema and contents")])
    found = [*_wrong_schema(document, top, file), *_wrong_contents(document, top, file)]
    if found:
        raise ModelRefused(found)
    contents = top["contents"]
    assert isinstance(contents, list)
    return tuple(str(one) for one in contents)


def _wrong_schema(document: Document, top: Mapping[str, Json], file: str) -> list[ModelProblem]:
    if top.get("schema") == SCHEMA:
        return []
    return [_wrong(document, ("schema",), file, f"expected schema: '{SCHEMA}', found {top.get('schema')!r}")]


def _wrong_contents(document: Document, top: Mapping[str, Json], file: str) -> list[ModelProblem]:
    contents = top.get("contents")
    if not isinstance(contents, list):
        return [_wrong(document, ("contents",), file, f"expected contents: a list of files, found {contents!r}")]
    wrong = [number for number, name in enumerate(contents) if not (isinstance(name, str) and _is_inside(name))]
    message = "expected an .fga file below the folder of fga.mod, found"
    return [_wrong(document, ("contents", number), file, f"{message} {contents[number]!r}") for number in wrong]


def _is_inside(name: str) -> bool:
    """A plain relative path: nothing encoded, nothing that leads out."""
    path = PurePosixPath(name)
    return path.suffix == ".fga" and not path.is_absolute() and ".." not in path.parts and "%" not in name and "\\" not in name


def _wrong(document: Document, place: tuple[str | int, ...], file: str, message: str) -> ModelProblem:
    line = document.line(place)
    return ModelProblem(code="fga-mod", message=message, at=Position(line=line or 1, column=1, file=file))
