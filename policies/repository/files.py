"""The files of a repository's `.admit/`: which of them count, when a change touches them, and how a decision names them.

Pure of forges and storage: files are the same whether read just now or recorded long ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from policies.bundles.checking import bundle_digest
from policies.model import AdmissionRequest, BundleId, ChangeFacts, Digest

FOLDER = ".admit"
MOST_FILES = 200
MOST_BYTES = 1_000_000
"""Of one repository: any contributor may propose them."""
_AT_HEAD = "@head"
_TOO_LARGE = "<too large>"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFiles:
    """What a repository says for itself, as read at the target's tip, and at the head of a change that touches it.

    repository: its `ref`, the one thing its policies may ask about. commit: the target's tip.
    target, head: path → content; empty = there is none. head is read where a change touches the folder.
    """

    repository: str
    commit: str
    target: Mapping[str, bytes] = field(default_factory=dict)
    head: Mapping[str, bytes] = field(default_factory=dict)
    head_sha: str = ""

    @property
    def name(self) -> str:
        """Among bundles; a `:` is in no organisation bundle's name."""
        return self.repository

    @property
    def evidence(self) -> tuple[tuple[BundleId, Mapping[str, bytes]], ...]:
        """What a decision has to name and storage to keep. Raises NotCanonical for file names that cannot be written down."""
        sides = ((self.name, self.commit, self.target), (self.name + _AT_HEAD, self.head_sha, self.head))
        return tuple(
            (BundleId(name=name, revision=commit[:12], digest=bundle_digest(files)), files) for name, commit, files in sides if files
        )


def too_large(files: Mapping[str, bytes]) -> str | None:
    """How much there is, where that is more than is taken."""
    return files[_TOO_LARGE].decode(errors="replace") if _TOO_LARGE in files else None


def own_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The bundle in a folder of a repository: as of any folder, without what begins with a dot, but for OPA's manifest.

    Of more than a stranger may ask us to compile and to keep, only how much it is.
    """
    found = {path: content for path, content in files.items() if path == ".manifest" or not _hidden(path)}
    size = sum(map(len, found.values()))
    if len(found) <= MOST_FILES and size <= MOST_BYTES:
        return found
    return {_TOO_LARGE: f"{len(found):,} files with {size:,} bytes".encode()}


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def is_own(id: BundleId) -> bool:
    """True for what a repository brought itself."""
    return ":" in id.name


def target_digest(bundles: Iterable[BundleId]) -> Digest | None:
    """Of what a decision names: the repository's own policies at the target's tip, if it had any."""
    return next((id.digest for id in bundles if is_own(id) and not id.name.endswith(_AT_HEAD)), None)


def target_digest_of(files: Mapping[str, bytes]) -> Digest | None:
    """What `target_digest` would be of a decision by these files. Raises NotCanonical."""
    return bundle_digest(files) if files else None


def recalled(evidence: Sequence[tuple[BundleId, Mapping[str, bytes]]], request: AdmissionRequest) -> OwnFiles | None:
    """The inverse of `OwnFiles.evidence`, for a replay; None where there was none, which adds nothing to a verdict."""
    if not evidence or not isinstance(request.thing, ChangeFacts):
        return None
    sides = {id.name.endswith(_AT_HEAD): (id.revision, files) for id, files in evidence}
    (commit, target), (head_sha, head) = sides.get(False, ("", {})), sides.get(True, ("", {}))
    return OwnFiles(repository=_repository(request.thing), commit=commit, target=target, head=head, head_sha=head_sha)


def touches(change: ChangeFacts) -> bool:
    """Whether the change adds, alters, moves or removes anything in the folder."""
    return any(_inside(path) for path in _paths(change))


def touches_nothing_else(change: ChangeFacts) -> bool:
    """Whether everything the change does, it does in the folder."""
    paths = _paths(change)
    return bool(paths) and all(_inside(path) for path in paths)


def _repository(change: ChangeFacts) -> str:
    repository = change.document["repository"]
    assert isinstance(repository, Mapping)
    return str(repository["ref"])


def _paths(change: ChangeFacts) -> list[str]:
    files = change.document["files"]
    assert isinstance(files, list)
    found = [file.get(key) for file in files if isinstance(file, Mapping) for key in ("path", "previous_path")]
    return [str(path) for path in found if path is not None]


def _inside(path: str) -> bool:
    return path == FOLDER or path.startswith(f"{FOLDER}/")
