"""What the files of a bundle are: modules, tests, data, OPA's manifest. Reads, and judges nothing about the Rego."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from policies.bundles.limits import path_problem
from policies.bundles.manifest import MANIFEST_FILE
from policies.bundles.opa_manifest import OpaManifest, read_opa_manifest
from policies.bundles.text import Document, Unreadable, read_json, read_text, read_yaml
from policies.errors import Problem
from policies.model import Json

ADMIT_FILE = "admit.rego"
_DATA_FILES = ("data.json", "data.yaml", "data.yml")
_YAML = (".yaml", ".yml")
_OTHER_DATA = (".json", *_YAML)


class Contents:
    """Filled while reading; `problems` is everything found wrong on the way."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}
        self.tests: dict[str, str] = {}
        self.admit: str | None = None
        self.data: dict[str, Json] = {}
        self.opa = OpaManifest()
        self.problems: list[Problem] = []


def read_contents(files: Mapping[str, bytes]) -> Contents:
    """Sort a bundle's files. Never raises: what is wrong is in `problems`."""
    contents = Contents()
    for path in sorted(files):
        try:
            _read(path, files[path], contents)
        except Unreadable as unreadable:
            contents.problems.append(unreadable.problem)
    try:
        contents.opa = read_opa_manifest(files)
    except Unreadable as unreadable:
        contents.problems.append(unreadable.problem)
    for outside in contents.opa.not_permitted(contents.data):
        message = f"expected data under the roots of .manifest, found data.{'.'.join(outside)}"
        contents.problems.append(Problem(message=message, advice="add its root to .manifest, or move the data"))
    return contents


def _read(path: str, content: bytes, contents: Contents) -> None:
    if (wrong := path_problem(path)) is not None:
        raise Unreadable(wrong, path=path, advice="rename it")
    name = PurePosixPath(path).name
    if path == ADMIT_FILE:
        contents.admit = read_text(path, content)
    elif name.endswith("_test.rego"):
        contents.tests[path] = read_text(path, content)
    elif name.endswith(".rego"):
        contents.modules[path] = read_text(path, content)
    elif name in _DATA_FILES:
        contents.problems += _merge(path, read_json(path, content) if name.endswith(".json") else read_yaml(path, content), contents.data)
    elif name.endswith(_OTHER_DATA) and path != MANIFEST_FILE:
        # `opa test DIR` would load it as data, a bundle never does: what its tests see, the gateway would not.
        message = f"expected data in files named {', '.join(_DATA_FILES)}, found {name}, which is no part of an OPA bundle"
        raise Unreadable(message, path=path, advice=_instead(path, content))


def _instead(path: str, content: bytes) -> str:
    """Cases in a `.yaml` are the commonest of these mistakes."""
    if path.endswith(_YAML) and re.search(rb"^cases:", content, re.MULTILINE):
        return f"these are cases: rename it to {PurePosixPath(path).with_suffix('.case')}"
    return "move its content to a data file, or give it another ending"


def _merge(path: str, document: Document, data: dict[str, Json]) -> Iterable[Problem]:
    """Put a data file's document in its place: `teams/data.json` is `data.teams`."""
    value = document.value
    folder = PurePosixPath(path).parent.parts
    if not isinstance(value, dict) and not (value is None and not folder):
        return [Problem(path=path, line=1, message="expected keys and values, found something else")]
    whole: Json = value or {}
    for part in reversed(folder):
        whole = {part: whole}
    assert isinstance(whole, dict)
    conflicts = list(_merged_into(data, whole, ()))
    return [
        Problem(
            path=path, message=f"expected every piece of data once, found data.{'.'.join(place)} in another file too", advice="keep one"
        )
        for place in conflicts
    ]


def _merged_into(data: dict[str, Json], more: dict[str, Json], at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in more.items():
        here = data.get(key)
        if key not in data:
            data[key] = value
        elif isinstance(here, dict) and isinstance(value, dict):
            yield from _merged_into(here, value, (*at, key))
        else:
            yield (*at, key)
