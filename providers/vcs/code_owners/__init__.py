"""CODEOWNERS: who looks after which files, read from its text in each forge's own dialect. No network, no accounts: names only."""

from providers.vcs.code_owners.model import CodeOwners, Owner, OwnerKind, OwnerProblem, OwnerRule, places
from providers.vcs.code_owners.reading import MOST_RULES, CodeOwnersTooLarge, read_code_owners
from providers.vcs.port import CodeOwnersDialect

__all__ = [
    "MOST_RULES",
    "CodeOwners",
    "CodeOwnersDialect",
    "CodeOwnersTooLarge",
    "Owner",
    "OwnerKind",
    "OwnerProblem",
    "OwnerRule",
    "places",
    "read_code_owners",
]
