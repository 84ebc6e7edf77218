"""As much of git as a forge's facts need: commits with whole trees, what one branch has ahead of another, and merging.

Trees are plain mappings of path → bytes. Merging is by whole files: a file changed on both sides in different ways is a
conflict. A rename is a file that went and one that came with the same bytes.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from providers.vcs.model import Actor, ChangedFile, FileStatus

Tree: TypeAlias = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCommit:
    sha: str
    parents: tuple[str, ...]
    tree: Tree
    message: str
    author: Actor
    at: datetime
    verified: bool


@dataclass(slots=True)
class Objects:
    """Every commit of a forge, forks included; a sha is made from all a commit says."""

    commits: dict[str, StoredCommit] = field(default_factory=dict)

    def commit(
        self, *, parents: Sequence[str], tree: Tree, message: str, author: Actor, at: datetime, verified: bool = False
    ) -> StoredCommit:
        hashed = hashlib.sha1(
            repr((parents, sorted(tree.items()), message, author.ref, at, len(self.commits))).encode(), usedforsecurity=False
        )
        made = StoredCommit(
            sha=hashed.hexdigest(), parents=tuple(parents), tree=dict(tree), message=message, author=author, at=at, verified=verified
        )
        self.commits[made.sha] = made
        return made

    def history(self, sha: str) -> list[StoredCommit]:
        """The commit and all behind it, each once, a child before its parents."""
        order: list[StoredCommit] = []
        seen: set[str] = set()
        stack = [(sha, False)]
        while stack:
            name, finished = stack.pop()
            if finished:
                order.append(self.commits[name])
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((parent, False) for parent in self.commits[name].parents)
        return order[::-1]

    def ahead(self, base: str, head: str) -> list[StoredCommit]:
        """What `head` has and `base` has not, oldest first."""
        behind = {commit.sha for commit in self.history(base)}
        return [commit for commit in self.history(head) if commit.sha not in behind][::-1]

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit both have; None for unrelated histories."""
        reachable = {commit.sha for commit in self.history(one)}
        return next((commit.sha for commit in self.history(other) if commit.sha in reachable), None)

    def tree(self, sha: str | None) -> Tree:
        return self.commits[sha].tree if sha is not None else {}

    def merged(self, base: str, head: str) -> Tree | None:
        """The tree of merging `head` into `base`; None if they conflict."""
        return merged(self.tree(self.merge_base(base, head)), self.tree(base), self.tree(head))


def merged(common: Tree, ours: Tree, theirs: Tree) -> Tree | None:
    """Three trees into one; None if a file was changed in different ways."""
    result: dict[str, bytes] = {}
    for path in {*common, *ours, *theirs}:
        was, our, their = common.get(path), ours.get(path), theirs.get(path)
        if our != their and our != was and their != was:
            return None
        content = our if their == was else their
        if content is not None:
            result[path] = content
    return result


def changed_files(before: Tree, after: Tree) -> tuple[ChangedFile, ...]:
    """What turns one tree into the other, by path."""
    added = [path for path in after if path not in before]
    removed = [path for path in before if path not in after]
    renamed: dict[str, str] = {}
    for path in sorted(added):
        origin = next((old for old in removed if old not in renamed.values() and before[old] == after[path]), None)
        if origin is not None:
            renamed[path] = origin
    found = [ChangedFile(path=new, status=FileStatus.RENAMED, previous_path=old, additions=0, deletions=0) for new, old in renamed.items()]
    found += [_file(path, FileStatus.ADDED, b"", after[path]) for path in added if path not in renamed]
    found += [_file(path, FileStatus.REMOVED, before[path], b"") for path in removed if path not in renamed.values()]
    found += [_file(p, FileStatus.MODIFIED, before[p], after[p]) for p in after if p in before and before[p] != after[p]]
    return tuple(sorted(found, key=lambda file: file.path))


def _file(path: str, status: FileStatus, before: bytes, after: bytes) -> ChangedFile:
    if b"\0" in before or b"\0" in after:
        return ChangedFile(path=path, status=status, additions=0, deletions=0)  # binary, as git counts it
    old, new = before.splitlines(), after.splitlines()
    same = sum(block.size for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks())
    return ChangedFile(path=path, status=status, additions=len(new) - same, deletions=len(old) - same)
