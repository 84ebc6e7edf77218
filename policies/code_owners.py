"""Who looks after the files of a change, as its repository's CODEOWNERS says: facts of one judgement, and what follows from them.

The `code_owners` object of the input (`policies/schema`) holds the rules that cover a changed file. Each is a `path`
object, `path:<connection>/<repository id>/<rule>`, and whom it names are its owners: tuples that count for this judgement
beside those that are stored, so that policies ask about them as about anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from policies.errors import RelationsRefused
from policies.model import AdmissionRequest, ChangeFacts, JsonObject, Location, PolicyId, Warning

if TYPE_CHECKING:
    from policies.relations.port import Given

RELATION = "owner"
SOURCE = "admit.code_owners"
"""What the reading of the file is called among policies; no bundle may have a package of that name."""


def given_by(request: AdmissionRequest) -> Given:
    """The tuples a judgement brings with it, by object. Raises RelationsRefused for those of another repository."""
    if request.code_owners is None or not isinstance(request.thing, ChangeFacts):
        return {}
    return given_of(request.code_owners, prefix=path_prefix(repository_ref(request.thing)))


def given_of(code_owners: JsonObject, *, prefix: str) -> Given:
    """The same, from the facts alone; every object begins with `prefix`."""
    from policies.relations.tuples import RelationshipTuple  # a judgement without owners loads none of it

    given: dict[str, tuple[RelationshipTuple, ...]] = {}
    for path in _objects(code_owners, "paths"):
        object = str(path["object"])
        if not object.startswith(prefix):
            raise RelationsRefused(f"code_owners may name objects that begin with {prefix} only, found {object[:100]!a}")
        given[object] = tuple(RelationshipTuple(object=object, relation=RELATION, user=str(user)) for user in path["owners"])
    return given


def path_prefix(repository: str) -> str:
    """How the `path` objects of a repository (`repository:work/12`) begin: `path:work/12/`."""
    return f"path:{repository.partition(':')[2]}/"


def is_path(object: str) -> bool:
    """Whether an object is a `path`."""
    return object.startswith("path:")


def repository_ref(change: ChangeFacts) -> str:
    """The `ref` of the change's repository."""
    repository = change.document["repository"]
    assert isinstance(repository, Mapping)
    return str(repository["ref"])


def owner_warnings(request: AdmissionRequest) -> tuple[Warning, ...]:
    """What of the file names nobody, for people: it blocks nothing by itself, but nobody's approval counts for it either."""
    if request.code_owners is None or not isinstance(request.thing, ChangeFacts):
        return ()
    policy = PolicyId(bundle=repository_ref(request.thing), package=SOURCE)
    file = str(request.code_owners["file"] or "CODEOWNERS")
    return tuple(
        Warning(
            policy=policy,
            message=f"{file}:{problem['line']}:{problem['column']}: {problem['message']}; it counts as nobody",
            remedy=str(problem["advice"]),
            location=Location(path=file, line=int(problem["line"])),
        )
        for problem in _objects(request.code_owners, "problems")
    )


def _objects(code_owners: JsonObject, key: str) -> list[dict[str, Any]]:
    found: Any = code_owners[key]
    return list(found)
