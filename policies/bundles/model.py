"""What a bundle is once it has been read and checked: frozen values."""

from __future__ import annotations

from collections.abc import Mapping

from policies.model import Action, BundleId, Digest, Enforcement, JsonObject, PolicyId
from policies.values import field, value


@value
class Match:
    """What a policy applies to. Globs: `*` does not cross `/`, `**` does. Repositories ignore case as all forges do."""

    action: Action
    connections: tuple[str, ...] = ("*",)
    repositories: tuple[str, ...] = ("**",)
    branches: tuple[str, ...] = ("**",)
    workflows: tuple[str, ...] = ("**",)
    targets: tuple[str, ...] = ("**",)
    exclude: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Facet (`repositories`, `branches`, …) → globs taken out again."""


@value
class Policy:
    """One Rego package with what it applies to, its parameters and its enforcement.

    rules: names of its rules that count (`deny`, `deny_x`, `violation`, `warn`, `hold`, `expires`,
    `questions`), sorted; found in the syntax tree.
    title, description: from its METADATA comment.
    """

    id: PolicyId
    match: Match
    enforcement: Enforcement
    parameters: JsonObject
    rules: tuple[str, ...]
    title: str | None = None
    description: str | None = None


@value
class Bundle:
    """Immutable policies, data and manifest, identified by digest, labelled by revision.

    files: every file as it was read (path → bytes): what the digest is over, what is stored.
    modules, tests: path → Rego source; `admit.rego` (editors' copy of the reserved package) is in neither.
    """

    name: str
    revision: str
    digest: Digest
    policies: tuple[Policy, ...]
    modules: Mapping[str, str]
    tests: Mapping[str, str]
    data: JsonObject
    files: Mapping[str, bytes]

    @property
    def id(self) -> BundleId:
        return BundleId(name=self.name, revision=self.revision, digest=self.digest)
