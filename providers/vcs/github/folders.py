"""Read a folder at one commit, and check that every byte is the one the commit names.

What a commit holds never changes, so a folder read once is not read again; where its branch points is asked conditionally.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence

from cachetools import LRUCache

from providers.errors import NotFound, PermanentError, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.faults import Refused
from providers.vcs.github.queries import FOLDER, blobs
from providers.vcs.port import Folder

MOST_FILES = 1_000
MOST_BYTES = 10 * 1024 * 1024
AT_ONCE = 50
"""Files whose text one query asks for."""
REMEMBERED_BYTES = 16 * 1024 * 1024
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE_MODES = frozenset({"100644", "100755"})


def _size(folder: Folder) -> int:
    return 1_000 + sum(len(content) + 200 for content in folder.files.values())


class Folders:
    """Folders of one GitHub, with those read before."""

    def __init__(self, client: GithubClient) -> None:
        self._client = client
        self._read: LRUCache[tuple[str, str, str], Folder] = LRUCache(REMEMBERED_BYTES, getsizeof=_size)

    async def read(self, repository: str, ref: str, path: str) -> Folder:
        """The files below `path` at `ref`, resolved once. Raises as the port says."""
        path = path.strip("/")
        try:
            commit = await self._resolved(repository, ref)
            name = (repository.lower(), commit, path)
            if name not in self._read:
                folder = await self._folder(repository, commit, path)
                if _size(folder) > REMEMBERED_BYTES:
                    return folder
                self._read[name] = folder
            return self._read[name]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def read_first(self, repository: str, ref: str, paths: Sequence[str]) -> Folder:
        """The first of the paths that is a file. Raises as the port says."""
        try:
            commit = await self._resolved(repository, ref)
            name = (repository.lower(), commit, "\0".join(("first", *paths)))
            if name not in self._read:
                self._read[name] = await self._first(repository, commit, paths)
            return self._read[name]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _first(self, repository: str, commit: str, paths: Sequence[str]) -> Folder:
        for path in paths:
            folder, _, name = path.rpartition("/")
            tree = await self._tree(repository, commit, folder)
            if tree is None:
                continue
            listed = await self._client.get(path_of("repos", repository, "git", "trees", tree))
            entries = [entry for entry in listed.documents("tree") if entry.text("path") == name]
            if not entries and listed.flag("truncated"):
                raise PermanentError(f"'{folder}' of '{repository}' has more entries than GitHub lists")
            found = _blobs(entries, folder)
            if name in found:
                return Folder(commit=commit, files={path: (await self._contents(repository, [found[name]]))[found[name]]})
        return Folder(commit=commit)

    async def _resolved(self, repository: str, ref: str) -> str:
        """The commit a ref stands for. A branch comes before a tag of its name."""
        base = path_of("repos", repository) + "/git"
        if _SHA.fullmatch(ref):
            return ref  # that it is there is found out by reading it
        for kind in ("heads", "tags"):
            try:
                target = (await self._client.get(f"{base}/ref/{kind}" + path_of(ref))).document("object")
            except NotFound:
                continue
            if target.text("type") == "tag":
                target = (await self._client.get(f"{base}/tags/" + target.text("sha"))).document("object")
            return target.text("sha")
        raise NotFound(f"no branch or tag '{ref}' in '{repository}', or no such repository")

    async def _folder(self, repository: str, commit: str, path: str) -> Folder:
        tree = await self._tree(repository, commit, path)
        if tree is None:
            return Folder(commit=commit)
        listed = await self._client.get(path_of("repos", repository, "git", "trees", tree), recursive=1)
        if listed.flag("truncated"):
            raise PermanentError(f"'{path}' of '{repository}' has more entries than GitHub lists")
        found = _blobs(listed.documents("tree"), path)
        contents = await self._contents(repository, list(dict.fromkeys(found.values())))
        return Folder(commit=commit, files={file: contents[sha] for file, sha in found.items()})

    async def _tree(self, repository: str, commit: str, path: str) -> str | None:
        """The sha of the folder's tree; None if there is no such folder."""
        owner, _, name = repository.partition("/")
        answer = await self._client.query(FOLDER, owner=owner, name=name, oid=commit, path=path or ".")
        found = answer.document("repository").document_or_none("object")
        if found is None or found.text_or_none("oid") != commit:
            raise NotFound(f"no commit {commit[:12]} in '{repository}'")
        if not path:
            return found.document("tree").text("oid")
        entry = found.document_or_none("file")
        return entry.text("oid") if entry is not None and entry.text("type") == "tree" else None

    async def _contents(self, repository: str, shas: Sequence[str]) -> Mapping[str, bytes]:
        """Each blob's bytes: text by GraphQL, many at once; what is no text, or too long for it, one by one."""
        batches = [shas[start : start + AT_ONCE] for start in range(0, len(shas), AT_ONCE)]
        read = await asyncio.gather(*(self._texts(repository, batch) for batch in batches))
        found = dict(itertools.chain.from_iterable(texts.items() for texts in read))
        rest = [sha for sha in shas if sha not in found]
        found.update(zip(rest, await asyncio.gather(*(self._blob(repository, sha) for sha in rest)), strict=True))
        return found

    async def _texts(self, repository: str, shas: Sequence[str]) -> dict[str, bytes]:
        """Those that are text and come whole; their names prove that they do."""
        owner, _, name = repository.partition("/")
        asked = {f"b{number}": sha for number, sha in enumerate(shas)}
        answer = (await self._client.query(blobs(len(shas)), owner=owner, name=name, **asked)).document("repository")
        found = {}
        for alias, sha in asked.items():
            blob = answer.document_or_none(alias)
            text = blob.fields.get("text") if blob is not None else None
            content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""
            if isinstance(text, str) and _named(content, sha):
                found[sha] = content
        return found

    async def _blob(self, repository: str, sha: str) -> bytes:
        """A file's bytes, whatever they are."""
        try:
            blob = await self._client.get(path_of("repos", repository, "git", "blobs", sha))
        except Refused as refused:
            raise PermanentError(str(refused)) from refused
        try:
            content = base64.b64decode(blob.text("content").replace("\n", ""), validate=True)
        except binascii.Error as problem:
            raise Unreachable(f"{blob.where}: expected base64") from problem
        if not _named(content, sha):
            raise Unreachable(f"{blob.where}: the content is not the one its name stands for")
        return content


def _blobs(listed: Sequence[Document], path: str) -> dict[str, str]:
    """Path → sha of each file, if they are few and small enough, and nothing else than files."""
    found: dict[str, str] = {}
    size = 0
    for entry in listed:
        if entry.text("type") == "tree":
            continue
        if entry.text("mode") not in _FILE_MODES:
            raise PermanentError(
                f"'{path}/{entry.text('path')}' is a link or submodule, and only plain files are read", advice="replace it by a file"
            )
        found[entry.text("path")] = entry.text("sha")
        size += entry.number("size")
    if len(found) > MOST_FILES or size > MOST_BYTES:
        raise PermanentError(f"'{path}' has {len(found)} files of {size} bytes; at most {MOST_FILES} files and {MOST_BYTES} bytes are read")
    return found


def _named(content: bytes, sha: str) -> bool:
    """Whether git names this content so. Git names a blob by its hash, so a wrong or shortened one is noticed."""
    blob = b"blob %d\0" % len(content) + content
    hashed = hashlib.sha256(blob) if len(sha) == 64 else hashlib.sha1(blob, usedforsecurity=False)
    return hashed.hexdigest() == sha
