"""JSON and YAML of a bundle, read so that nobody can read them differently, with the line of every key.

OPA reads YAML 1.1 (`on` is true, `010` is eight), most editors and people YAML 1.2. Where the two differ
the text is refused and quotes are asked for. Keys given twice are refused too: readers disagree about which counts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import yaml

from policies.errors import Problem
from policies.model import Json
from policies.values import field, value

Place: TypeAlias = "tuple[str | int, ...]"
MAX_DEPTH = 100
_READ_OTHERWISE = frozenset("\t\ufeff?")
"""What libyaml takes in places where PyYAML does not, or leaves out where it does not."""
_AMBIGUOUS = re.compile(
    r"y|n|yes|no|on|off|[-+]?0[0-9_]+|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9]+_[0-9_]*|[-+]?[0-9]+(:[0-5]?[0-9])+", re.IGNORECASE
)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}


class Unreadable(Exception):
    """A text that cannot be read, with the problem to report."""

    def __init__(self, message: str, *, path: str, line: int | None = None, advice: str | None = None) -> None:
        self.problem = Problem(message=message, path=path, line=line, advice=advice)
        super().__init__(str(self.problem))


@value
class Document:
    """A value, and the line each of its keys and items begins on."""

    value: Json
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Iterable[str | int]) -> int | None:
        """The line of the nearest thing known: of the key itself, or of what holds it."""
        at = tuple(place)
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at)


def read_text(path: str, content: bytes) -> str:
    """The text of a file. Raises Unreadable where it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise Unreadable("expected UTF-8, found other bytes", path=path, line=line, advice="save the file as UTF-8") from problem


def read_json(path: str, content: bytes) -> Document:
    """A JSON file's value. Raises Unreadable."""
    text = read_text(path, content)
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
        return Document(value=value)
    except UnicodeEncodeError as problem:
        raise Unreadable("expected whole characters, found half a surrogate pair", path=path) from problem
    except json.JSONDecodeError as problem:
        raise Unreadable(f"expected JSON, found something else: {problem.msg}", path=path, line=problem.lineno) from problem
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"expected JSON, found {problem}", path=path) from problem


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = next((key for number, key in enumerate(keys) if key in keys[:number]), None) if len(set(keys)) < len(keys) else None
    if twice is not None:
        raise ValueError(f"the key {twice!r} twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name}, which JSON does not have")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text}, which is more than a number can hold")
    return number


def read_yaml(path: str, content: bytes) -> Document:
    """A YAML file's value, one document, without anchors and tags. Raises Unreadable."""
    text = read_text(path, content)
    try:
        node = _composed(text)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark is not None else None
        raise Unreadable(f"expected YAML, found something else: {problem.problem}", path=path, line=line) from problem
    except (yaml.YAMLError, RecursionError) as problem:
        raise Unreadable(f"expected YAML, found something else: {problem}", path=path) from problem
    reader = _Reader(path)
    return Document(value=reader.value(node, ()) if node is not None else None, lines=reader.lines)


def _composed(text: str) -> yaml.Node | None:
    """By libyaml where it is there, in a third of the time. What it does not take, or takes otherwise, is PyYAML's to read or refuse."""
    quick = getattr(yaml, "CSafeLoader", None)
    try:
        if quick is not None and _READ_OTHERWISE.isdisjoint(text) and _is_harmless(yaml.parse(text, Loader=quick)):
            return yaml.compose(text, Loader=quick)
    except (yaml.YAMLError, ValueError):
        pass
    return yaml.compose(text, Loader=_Loader)


def _is_harmless(events: Iterable[yaml.Event]) -> bool:
    """Without aliases, and not so deep that what composes nodes in C would run out of stack."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            return False
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return False
    return True


class _Loader(yaml.SafeLoader):
    """Composes nodes only; aliases are refused before they can multiply."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias (*name); write the value out", event.start_mark)
        return super().compose_node(parent, index)


class _Reader:
    """Turns nodes into JSON values."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.lines: dict[Place, int] = {}

    def value(self, node: yaml.Node, place: Place) -> Json:
        self.lines.setdefault(place, _line(node))
        if len(place) > MAX_DEPTH:
            raise self._wrong(node, f"expected at most {MAX_DEPTH} levels, found more")
        match node:
            case yaml.MappingNode():
                return self._mapping(node, place)
            case yaml.SequenceNode():
                return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node)
        raise self._wrong(node, f"expected a value, found {node.tag}")

    def _mapping(self, node: yaml.MappingNode, place: Place) -> Json:
        values: dict[str, Json] = {}
        for key_node, item in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise self._wrong(key_node, "expected a text as key, found something else", "put it in quotes")
            if key in values:
                raise self._wrong(key_node, f"expected every key once, found {key!r} twice")
            self.lines[(*place, key)] = _line(key_node)
            values[key] = self.value(item, (*place, key))
        return values

    def _scalar(self, node: yaml.ScalarNode) -> Json:
        if node.style:
            return self._text(node)
        text = str(node.value)
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise self._wrong(node, f"expected plain YAML, found the tag {node.tag}")
        if _AMBIGUOUS.fullmatch(text):
            raise self._wrong(node, f"{text} means one thing in YAML 1.1 and another in 1.2", "put it in quotes, or write the plain value")
        if text in _WORDS:
            return _WORDS[text]
        try:
            return int(text) if _INTEGER.fullmatch(text) else _finite(text) if _NUMBER.fullmatch(text) else text
        except ValueError as problem:
            raise self._wrong(node, f"expected a number of ordinary size, found {text[:40]}") from problem

    def _text(self, node: yaml.ScalarNode) -> str:
        """Escaped pairs of surrogates are one character, as in JSON; PyYAML leaves them apart."""
        try:
            return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as problem:
            raise self._wrong(node, "expected whole characters, found half a surrogate pair") from problem

    def _wrong(self, node: yaml.Node, message: str, advice: str | None = None) -> Unreadable:
        return Unreadable(message, path=self._path, line=_line(node), advice=advice)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
