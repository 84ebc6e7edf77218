"""OPA's own `.manifest`: its revision, and the roots that everything of the bundle must lie under.

Specified at https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from policies.bundles.text import Unreadable, read_json
from policies.model import Json
from policies.nearest import nearest
from policies.values import value

OPA_MANIFEST_FILE = ".manifest"
_KEYS = ("revision", "roots", "metadata", "rego_version", "file_rego_versions", "wasm")

Path: TypeAlias = "tuple[str, ...]"


@value
class OpaManifest:
    """What `.manifest` says; without one, a bundle may hold anything."""

    revision: str | None = None
    roots: tuple[Path, ...] = ((),)

    def permits(self, path: Path) -> bool:
        """True if the path lies under one of the roots."""
        return any(path[: len(root)] == root for root in self.roots)

    def not_permitted(self, value: Json, path: Path = ()) -> Iterator[Path]:
        """The outermost paths of a data document that lie under no root."""
        if self.permits(path):
            return
        if isinstance(value, dict) and any(root[: len(path)] == path for root in self.roots):
            for key, item in value.items():
                yield from self.not_permitted(item, (*path, key))
        else:
            yield path


def read_opa_manifest(files: Mapping[str, bytes]) -> OpaManifest:
    """The `.manifest` among a bundle's files. Raises Unreadable."""
    if OPA_MANIFEST_FILE not in files:
        return OpaManifest()
    content = read_json(OPA_MANIFEST_FILE, files[OPA_MANIFEST_FILE]).value
    if not isinstance(content, dict):
        raise _wrong('expected an object, like {"roots": ["merge"]}')
    for key in content:
        if key not in _KEYS:
            near = nearest(key, _KEYS)
            raise _wrong(f"unknown key {key!r}", f"did you mean {near!r}?" if near else f"expected one of {', '.join(_KEYS)}")
    if content.get("rego_version") == 0 or 0 in _values(content.get("file_rego_versions")):
        raise _wrong("expected Rego version 1, found version 0", "rewrite the policies with: opa fmt --write --v0-v1")
    revision = content.get("revision")
    if revision is not None and not isinstance(revision, str):
        raise _wrong("revision: expected a text")
    return OpaManifest(revision=revision or None, roots=_roots(content.get("roots")))


def _roots(value: Json) -> tuple[Path, ...]:
    if value is None:
        return ((),)
    if not isinstance(value, list) or not value or not all(isinstance(root, str) for root in value):
        raise _wrong('roots: expected a list of paths like "merge" or "acme/merge"')
    roots = [tuple(part for part in str(root).strip("/").split("/") if part) for root in value]
    for number, root in enumerate(roots):
        for other in roots[number + 1 :]:
            if root[: len(other)] == other or other[: len(root)] == root:
                raise _wrong(f"roots: expected roots that do not overlap, found {'/'.join(root)!r} and {'/'.join(other)!r}")
    return tuple(roots)


def _values(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else []


def _wrong(message: str, advice: str | None = None) -> Unreadable:
    return Unreadable(message, path=OPA_MANIFEST_FILE, advice=advice)
