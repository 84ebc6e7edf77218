"""Git trees through Gitea's API: the entries of one, and which files differ between two.

Gitea's own list of changed files is read from the text of a diff and is cut short where a file changed its kind (to or
from a link or submodule). Trees are exact: what has the same name and hash is the same, and is not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from providers.errors import PermanentError, TornFacts
from providers.vcs.documents import Document
from providers.vcs.gitea.client import GiteaClient
from providers.vcs.model import ChangedFile, FileStatus

MOST_ENTRIES = 10_000
MOST_TREES = 1_000

_Blob = tuple[str, str]
"""Mode and hash."""


async def entries(client: GiteaClient, base: str, tree: str, *, recursive: bool = False) -> Sequence[Document]:
    """Every entry of a tree (named by its hash or a commit's). This list is paged in its own way: `truncated` until the last page."""
    found: list[Document] = []
    for page in range(1, 1_000):
        answer = await client.get(f"{base}/git/trees/{tree}", recursive=str(recursive).lower(), page=page)
        found.extend(answer.documents("tree"))
        if not answer.flag("truncated"):
            if len(found) != answer.number("total_count"):
                raise TornFacts(f"{answer.where}: expected {answer.number('total_count')} entries, found {len(found)}")
            return found
        if recursive and len(found) > MOST_ENTRIES:
            break
    raise PermanentError(f"GET {base}/git/trees/{tree}: the folder has too many entries")


@dataclass(slots=True)
class _Difference:
    """What was found so far: files that went and that came, by path."""

    removed: dict[str, _Blob] = field(default_factory=dict)
    added: dict[str, _Blob] = field(default_factory=dict)
    trees: int = 0


async def changed_files(client: GiteaClient, base: str, before: str, after: str) -> tuple[ChangedFile, ...]:
    """Every file that differs between two commits, by path; lines are not counted. A file moved as it was is a rename."""
    difference = _Difference()
    await _compare(client, base, "", before, after, difference)
    modified = difference.removed.keys() & difference.added.keys()
    gone = {path: blob for path, blob in difference.removed.items() if path not in modified}
    found = [ChangedFile(path=path, status=FileStatus.MODIFIED) for path in modified]
    for path, blob in sorted(difference.added.items()):
        if path in modified:
            continue
        origin = next((old for old, was in gone.items() if was == blob), None)
        if origin is None:
            found.append(ChangedFile(path=path, status=FileStatus.ADDED))
        else:
            del gone[origin]
            found.append(ChangedFile(path=path, status=FileStatus.RENAMED, previous_path=origin))
    found += [ChangedFile(path=path, status=FileStatus.REMOVED) for path in gone]
    return tuple(sorted(found, key=lambda file: file.path))


async def _compare(client: GiteaClient, base: str, folder: str, before: str, after: str, found: _Difference) -> None:
    """Two trees of one folder; only what differs is opened."""
    found.trees += 1
    if found.trees > MOST_TREES:
        raise PermanentError(f"more than {MOST_TREES} folders differ")
    old = {entry.text("path"): entry for entry in await entries(client, base, before)}
    new = {entry.text("path"): entry for entry in await entries(client, base, after)}
    for name in sorted({*old, *new}):
        was, now, path = old.get(name), new.get(name), folder + name
        if was is not None and now is not None:
            if _blob(was) == _blob(now):
                continue
            if was.text("type") == now.text("type") == "tree":
                await _compare(client, base, f"{path}/", was.text("sha"), now.text("sha"), found)
                continue
        found.removed.update(await _below(client, base, path, was))
        found.added.update(await _below(client, base, path, now))


async def _below(client: GiteaClient, base: str, path: str, entry: Document | None) -> Mapping[str, _Blob]:
    """The files an entry stands for: itself, or all below it."""
    if entry is None:
        return {}
    if entry.text("type") != "tree":
        return {path: _blob(entry)}
    listed = await entries(client, base, entry.text("sha"), recursive=True)
    return {f"{path}/{file.text('path')}": _blob(file) for file in listed if file.text("type") != "tree"}


def _blob(entry: Document) -> _Blob:
    return entry.text("mode"), entry.text("sha")
