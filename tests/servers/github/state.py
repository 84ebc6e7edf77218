"""What this GitHub keeps beyond a forge in memory: tokens, Apps, check runs, rules, hooks, stacks and merge queues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from providers.vcs.memory import MemoryForge
from providers.vcs.memory.git import Tree

Json = Any


@dataclass(slots=True, kw_only=True)
class Identity:
    """Who a token stands for. app_id: of an App's installation. ends: POSIX seconds, None for ever."""

    login: str
    app_id: int | None = None
    scopes: str | None = None
    ends: float | None = None
    may_write: bool = True


@dataclass(slots=True, kw_only=True)
class StoredApp:
    """permissions, events: of its one installation."""

    id: int
    slug: str
    public_key: str
    installation_id: int = 71
    permissions: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    installed: bool = True
    hook: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Extras:
    """Of one repository, beyond what the forge in memory has."""

    runs: list[dict[str, Json]] = field(default_factory=list)
    hooks: list[dict[str, Json]] = field(default_factory=list)
    rulesets: list[dict[str, Json]] = field(default_factory=list)
    protections: dict[str, dict[str, Json]] = field(default_factory=dict)
    stacks: dict[int, dict[str, Json]] = field(default_factory=dict)
    queues: dict[str, list[dict[str, Json]]] = field(default_factory=dict)
    merges: dict[str, dict[str, Json]] = field(default_factory=dict)
    private: bool = False


@dataclass(slots=True)
class GithubState:
    """Everything. `forge` is where people act; `edition` says which GitHub it is.

    slow_merges: one in the background does not end. has_rulesets: an older server has none.
    """

    forge: MemoryForge
    url: str = ""
    edition: str = "api.github.com"
    tokens: dict[str, Identity] = field(default_factory=dict)
    apps: dict[int, StoredApp] = field(default_factory=dict)
    extras: dict[str, Extras] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    count: int = 0
    slow_merges: bool = False
    has_rulesets: bool = True

    def of(self, repository: str) -> Extras:
        return self.extras.setdefault(self.forge.world.repository(repository).id, Extras())

    def next_id(self) -> int:
        self.count += 1
        return 1_000_000 + self.count

    def tree_id(self, tree: Tree) -> str:
        """A name for a tree; what it names can be asked for by it."""
        listed = sorted((path, blob_id(content)) for path, content in tree.items())
        id = hashlib.sha1(json.dumps(["tree", listed]).encode(), usedforsecurity=False).hexdigest()
        self.trees[id] = tree
        return id


def blob_id(content: bytes) -> str:
    """As git names it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def below(tree: Tree, path: str) -> Tree:
    """What lies in a folder, by paths relative to it."""
    prefix = path.strip("/") + "/" if path.strip("/.") else ""
    return {name.removeprefix(prefix): content for name, content in tree.items() if name.startswith(prefix)}


def instant(moment: datetime) -> str:
    """As GitHub writes it: whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged_into(rules: Mapping[str, Json]) -> Json:
    """A copy that can be changed."""
    return json.loads(json.dumps(rules))
