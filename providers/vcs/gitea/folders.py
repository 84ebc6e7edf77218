"""Read a folder at one commit, and check that every byte is the one the commit names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from providers.errors import NotFound, PermanentError, Unreachable
from providers.vcs.blobs import MOST_BYTES, MOST_FILES, named_content
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea.client import GiteaClient, path_of
from providers.vcs.gitea.trees import entries
from providers.vcs.port import Folder

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE_MODES = frozenset({"100644", "100755"})


async def read_folder(client: GiteaClient, repository: str, ref: str, path: str) -> Folder:
    """The files below `path` at `ref`, resolved once. Raises as the port says."""
    base = path_of("repos", repository)
    try:
        commit = await _resolved(client, base, ref)
        tree = await _tree(client, base, commit, path)
        if tree is None:
            return Folder(commit=commit)
        blobs = _blobs(await entries(client, base, tree, recursive=True), path)
        contents = await asyncio.gather(*(_blob(client, base, sha) for sha, _ in blobs.values()))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    return Folder(commit=commit, files=dict(zip(blobs, contents, strict=True)))


async def read_first(client: GiteaClient, repository: str, ref: str, paths: Sequence[str]) -> Folder:
    """The first of the paths that is a file. Raises as the port says."""
    base = path_of("repos", repository)
    try:
        commit = await _resolved(client, base, ref)
        root = await entries(client, base, commit)
        for path in paths:
            folder, _, name = path.rpartition("/")
            listed = root if not folder else await _listed(client, base, root, folder)
            found = _blobs([entry for entry in listed if entry.text("path") == name], folder)
            if name in found:
                return Folder(commit=commit, files={path: await _blob(client, base, found[name][0])})
        return Folder(commit=commit)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _resolved(client: GiteaClient, base: str, ref: str) -> str:
    """The commit a ref stands for. A branch comes before a tag of its name, which git itself would prefer."""
    if _SHA.fullmatch(ref):
        commit = (await client.get(f"{base}/git/commits/{ref}", files="false", stat="false", verification="false")).text("sha")
        if commit != ref:
            raise Unreachable(f"GET {base}/git/commits/{ref}: expected that commit, found {commit[:40]}")
        return commit
    try:
        return (await client.get(f"{base}/branches" + path_of(ref))).document("commit").text("id")
    except NotFound:
        return (await client.get(f"{base}/tags" + path_of(ref))).document("commit").text("sha")


async def _listed(client: GiteaClient, base: str, root: Sequence[Document], path: str) -> Sequence[Document]:
    """What lies in a folder of a tree whose entries are known; nothing if there is no such folder."""
    listed = root
    for part in path.split("/"):
        tree = _below(listed, part)
        listed = await entries(client, base, tree) if tree is not None else ()
    return listed


async def _tree(client: GiteaClient, base: str, commit: str, path: str) -> str | None:
    """The sha of the folder's tree; None if there is no such folder."""
    tree: str | None = commit
    for part in (part for part in path.split("/") if part):
        tree = _below(await entries(client, base, tree), part) if tree is not None else None
    return tree


def _below(listed: Sequence[Document], name: str) -> str | None:
    """The sha of the tree of that name."""
    return next((entry.text("sha") for entry in listed if entry.text("path") == name and entry.text("type") == "tree"), None)


def _blobs(listed: Sequence[Document], path: str) -> dict[str, tuple[str, int]]:
    """Path → (sha, size) of each file, if they are few and small enough, and nothing else than files."""
    blobs: dict[str, tuple[str, int]] = {}
    for entry in listed:
        if entry.text("type") == "tree":
            continue
        if entry.text("mode") not in _FILE_MODES:
            raise PermanentError(
                f"'{path}/{entry.text('path')}' is a link or submodule, and only plain files are read", advice="replace it by a file"
            )
        blobs[entry.text("path")] = (entry.text("sha"), entry.number("size"))
    size = sum(size for _, size in blobs.values())
    if len(blobs) > MOST_FILES or size > MOST_BYTES:
        raise PermanentError(f"'{path}' has {len(blobs)} files of {size} bytes; at most {MOST_FILES} files and {MOST_BYTES} bytes are read")
    return blobs


async def _blob(client: GiteaClient, base: str, sha: str) -> bytes:
    return named_content(await client.get(f"{base}/git/blobs/{sha}"), sha)
