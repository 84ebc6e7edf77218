"""Read a folder at one commit, and check that every byte is the one the commit names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from providers.errors import NotFound, PermanentError, Unreachable
from providers.vcs.blobs import MOST_BYTES, MOST_FILES, named_content
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import AT_ONCE, GitLabClient, Missing, path_of
from providers.vcs.port import Folder

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE_MODES = frozenset({"100644", "100755"})


async def read_folder(client: GitLabClient, repository: str, ref: str, path: str) -> Folder:
    """The files below `path` at `ref`, resolved once. Raises as the port says."""
    base, inside = path_of("projects", repository, "repository"), path.strip("/")
    try:
        commit = await _resolved(client, base, ref)
        blobs = _blobs(await _tree(client, base, commit, inside), inside)
        return Folder(commit=commit, files=await _contents(client, base, blobs, inside))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def read_first(client: GitLabClient, repository: str, ref: str, paths: Sequence[str]) -> Folder:
    """The first of the paths that is a file. Raises as the port says."""
    base = path_of("projects", repository, "repository")
    try:
        commit = await _resolved(client, base, ref)
        for path in paths:
            folder, _, name = path.rpartition("/")
            listed = await _tree(client, base, commit, folder, below=False)
            found = _blobs([entry for entry in listed if entry.text("path") == path], folder)
            if name in found:
                return Folder(commit=commit, files={path: (await _contents(client, base, found, folder))[name]})
        return Folder(commit=commit)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _resolved(client: GitLabClient, base: str, ref: str) -> str:
    """The commit a ref stands for. A branch comes before a tag of its name, which git itself would prefer."""
    if _SHA.fullmatch(ref):
        commit = (await client.get(f"{base}/commits/{ref}", stats="false")).text("id")
        if commit != ref:
            raise Unreachable(f"GET {base}/commits/{ref}: expected that commit, found {commit[:40]}")
        return commit
    try:
        return (await client.get(f"{base}/branches" + path_of(ref))).document("commit").text("id")
    except NotFound:
        return (await client.get(f"{base}/tags" + path_of(ref))).document("commit").text("id")


async def _tree(client: GitLabClient, base: str, commit: str, inside: str, *, below: bool = True) -> Sequence[Document]:
    """Everything in the folder, and `below` it; nothing if the commit, which is there, has no such folder."""
    where = {"path": inside} if inside else {}
    try:
        return await client.everything(f"{base}/tree", ref=commit, recursive=str(below).lower(), **where)
    except Missing as missing:
        if "Tree Not Found" in missing.said or "invalid revision or path" in missing.said:
            return ()
        raise


def _blobs(listed: Sequence[Document], inside: str) -> dict[str, str]:
    """Path below the folder → sha of each file, if they are few enough, and nothing else than files."""
    blobs: dict[str, str] = {}
    for entry in listed:
        if entry.text("type") == "tree":
            continue
        name = entry.text("path").removeprefix(f"{inside}/") if inside else entry.text("path")
        if entry.text("mode") not in _FILE_MODES:
            raise PermanentError(f"'{inside}/{name}' is a link or submodule, and only plain files are read", advice="replace it by a file")
        blobs[name] = entry.text("id")
    if len(blobs) > MOST_FILES:
        raise PermanentError(f"'{inside}' has {len(blobs)} files; at most {MOST_FILES} files and {MOST_BYTES} bytes are read")
    return blobs


async def _contents(client: GitLabClient, base: str, blobs: dict[str, str], inside: str) -> dict[str, bytes]:
    """Each file's bytes. GitLab's tree tells no sizes, so they are counted as they come."""
    found: dict[str, bytes] = {}
    names = list(blobs)
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        contents = await asyncio.gather(*(_blob(client, base, blobs[name]) for name in some))
        found |= dict(zip(some, contents, strict=True))
        size = sum(len(content) for content in found.values())
        if size > MOST_BYTES:
            raise PermanentError(f"'{inside}' has more than {MOST_BYTES} bytes in its files; at most that is read")
    return found


async def _blob(client: GitLabClient, base: str, sha: str) -> bytes:
    return named_content(await client.get(f"{base}/blobs/{sha}"), sha)
