"""A repository's own policies: what the `.admit/` of a target branch may add to a verdict, and that it can do no more."""

from policies.repository.deciding import OwnPolicies, decide_with_own
from policies.repository.files import (
    FOLDER,
    MOST_BYTES,
    MOST_FILES,
    OwnFiles,
    is_own,
    own_files,
    recalled,
    target_digest,
    target_digest_of,
    touches,
    touches_nothing_else,
)

__all__ = [
    "FOLDER",
    "MOST_BYTES",
    "MOST_FILES",
    "OwnFiles",
    "OwnPolicies",
    "decide_with_own",
    "is_own",
    "own_files",
    "recalled",
    "target_digest",
    "target_digest_of",
    "touches",
    "touches_nothing_else",
]
