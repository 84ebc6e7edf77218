"""OpenFGA's store file, as `fga model test` and `fga store import` read it: a model and tuples in one YAML file.

https://openfga.dev/docs/modeling/testing. `model` (DSL) or `model_file`; `tuples`, `tuple_file` or
`tuple_files` (YAML or JSON). `tests` are kept as they stand. What the file says twice, or in a way
readers could take differently, is refused with its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.bundles.text import Document, Unreadable, read_json, read_yaml
from policies.errors import RelationsRefused
from policies.model import Json
from policies.relations.dsl import parse_model
from policies.relations.json_form import model_from_json
from policies.relations.model import AuthorizationModel
from policies.relations.modules import combined, module_files
from policies.relations.refusals import ModelRefused, StoreFileRefused, TupleRefused
from policies.relations.sound_model import SoundModel
from policies.relations.tuples import RelationshipTuple, refuse_unwritable

_KEYS = frozenset({"name", "model", "model_file", "tuples", "tuple_file", "tuple_files", "tests"})
_TUPLE_KEYS = frozenset({"user", "relation", "object", "condition"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFile:
    """What a store file says. `tests` as read, for whoever runs them. model_text: the model's DSL, if it is in one piece of it."""

    name: str | None
    model: AuthorizationModel
    model_text: str | None
    tuples: tuple[RelationshipTuple, ...]
    tests: Json = None


def read_store_file(source: Path | str) -> StoreFile:
    """A store file by its path, or (a str) by its text. Raises StoreFileRefused, ModelRefused, TupleRefused, each with its place.

    The model is sound and allows every tuple.
    """
    if isinstance(source, Path):
        return _Reader(str(source), source.parent).store(_bytes(source))
    return _Reader("store file", None).store(source.encode())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise StoreFileRefused(f"{path}: cannot be read: {problem.strerror}") from problem


class _Reader:
    def __init__(self, name: str, folder: Path | None) -> None:
        self._name = name
        self._folder = folder

    def store(self, content: bytes) -> StoreFile:
        document = self._document(self._name, content)
        top = document.value
        if not isinstance(top, Mapping):
            raise StoreFileRefused(f"{self._name}: expected a model and tuples, found {type(top).__name__}")
        unknown = sorted(top.keys() - _KEYS)
        if unknown:
            raise self._refused(document, (unknown[0],), f"unknown key '{unknown[0]}'; known are {', '.join(sorted(_KEYS))}")
        name = top.get("name")
        if not isinstance(name, (str, type(None))):
            raise self._refused(document, ("name",), "expected a text")
        text, model = self._model(document, top)
        tuples = self._tuples(document, top, model)
        return StoreFile(name=name, model=model.model, model_text=text, tuples=tuples, tests=top.get("tests"))

    def _document(self, name: str, content: bytes) -> Document:
        try:
            return read_json(name, content) if name.endswith(".json") else read_yaml(name, content)
        except Unreadable as problem:
            refusal = StoreFileRefused(str(problem))
            refusal.advice = problem.problem.advice
            raise refusal from problem

    def _refused(self, document: Document, place: tuple[str | int, ...], message: str, name: str | None = None) -> StoreFileRefused:
        line = document.line(place)
        return StoreFileRefused(f"{name or self._name}:{f'{line}:' if line else ''} {message}")

    def _model(self, document: Document, top: Mapping[str, Json]) -> tuple[str | None, SoundModel]:
        inline, file = top.get("model"), top.get("model_file")
        if isinstance(inline, str) and inline.strip():
            return inline, self._sound(f"{self._name}: the model on line {document.line(('model',))}", lambda: parse_model(inline))
        if not isinstance(file, str) or not file:
            raise self._refused(
                document, ("model",) if "model" in top else ("model_file",), "expected model (DSL) or model_file, found neither"
            )
        path = self._beside(document, ("model_file",), file)
        text = None if path.suffix in (".json", ".mod") else _decoded(path)
        return text, self._sound(str(path), lambda: self._read_model(path) if text is None else parse_model(text))

    def _read_model(self, path: Path) -> AuthorizationModel:
        if path.suffix == ".json":
            return model_from_json(self._document(str(path), _bytes(path)).value)
        files = module_files(_bytes(path), path.name)
        return combined({file: _decoded(path.parent / file) for file in files})

    def _sound(self, where: str, read: Callable[[], AuthorizationModel]) -> SoundModel:
        try:
            return SoundModel(read())
        except ModelRefused as problem:
            refusal = StoreFileRefused(f"{where}: {problem}")
            refusal.advice = problem.advice
            raise refusal from problem

    def _beside(self, document: Document, place: tuple[str | int, ...], file: str) -> Path:
        if self._folder is None:
            raise self._refused(document, place, "a file is named, but this store has no folder to find it in; write it out")
        return self._folder / file

    def _tuples(self, document: Document, top: Mapping[str, Json], model: SoundModel) -> tuple[RelationshipTuple, ...]:
        found: dict[tuple[str, str, str], RelationshipTuple] = {}
        for where, one in self._all_tuples(document, top):
            reason = model.why_not(one)
            if reason is not None:
                raise TupleRefused(f"{where}: the model does not allow {one}: {reason}")
            if one.key in found:
                raise TupleRefused(f"{where}: {one} is given twice")
            found[one.key] = one
        return tuple(found.values())

    def _all_tuples(self, document: Document, top: Mapping[str, Json]) -> Iterator[tuple[str, RelationshipTuple]]:
        yield from self._listed(self._name, document, ("tuples",), top.get("tuples"))
        files = top.get("tuple_files") or ()
        if not isinstance(files, (list, tuple)):
            raise self._refused(document, ("tuple_files",), "expected a list of files")
        for file in (top.get("tuple_file"), *files):
            if file is None:
                continue
            place = ("tuple_file",) if file == top.get("tuple_file") else ("tuple_files",)
            if not isinstance(file, str) or not file.endswith((".json", ".yaml", ".yml")):
                raise self._refused(document, place, f"expected a YAML or JSON file of tuples, found {file!r}")
            path = self._beside(document, place, file)
            tuples = self._document(str(path), _bytes(path))
            yield from self._listed(str(path), tuples, (), tuples.value)

    def _listed(self, name: str, document: Document, place: tuple[str, ...], value: Json) -> Iterator[tuple[str, RelationshipTuple]]:
        if value is None:
            return
        if not isinstance(value, (list, tuple)):
            raise self._refused(document, place, "expected a list of tuples", name)
        for number, item in enumerate(value):
            line = document.line((*place, number))
            where = f"{name}:{line}" if line else f"{name}: tuple {number + 1}"
            yield where, _tuple(where, item)


def _decoded(path: Path) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError as problem:
        raise StoreFileRefused(f"{path}: expected UTF-8, found other bytes") from problem


def _tuple(where: str, item: Json) -> RelationshipTuple:
    try:
        one = tuple_from_json(item)
        refuse_unwritable(one)
    except RelationsRefused as problem:
        raise TupleRefused(f"{where}: {problem}") from problem
    return one


def tuple_from_json(item: Json) -> RelationshipTuple:
    """`{user, relation, object, condition: {name, context}}` as a tuple. Raises TupleRefused."""
    if not isinstance(item, Mapping):
        raise TupleRefused(f"expected a tuple with user, relation and object, found {json.dumps(item)[:60]}")
    unknown = sorted(item.keys() - _TUPLE_KEYS)
    if unknown:
        raise TupleRefused(f"unknown key '{unknown[0]}' in a tuple; known are {', '.join(sorted(_TUPLE_KEYS))}")
    parts = {key: item.get(key) for key in ("user", "relation", "object")}
    missing = [key for key, value in parts.items() if not isinstance(value, str)]
    if missing:
        raise TupleRefused(f"expected a text as {missing[0]}, found {json.dumps(parts[missing[0]])[:60]}")
    condition, context = _condition(item.get("condition"))
    return RelationshipTuple(**{key: str(value) for key, value in parts.items()}, condition=condition, context=context)


def _condition(value: Json) -> tuple[str | None, Mapping[str, Json]]:
    if value is None:
        return None, {}
    if not isinstance(value, Mapping) or value.keys() - {"name", "context"}:
        raise TupleRefused("expected a condition with a name and perhaps a context")
    name, context = value.get("name"), value.get("context")
    if not isinstance(name, str) or not name:
        raise TupleRefused("expected the name of a condition")
    if context is not None and not isinstance(context, Mapping):
        raise TupleRefused("expected a condition's context as an object")
    return name, context or {}
