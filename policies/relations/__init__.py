"""Relationship checks: the port and its values.

The door opens name by name: a check of policies that ask nothing loads none of what is behind it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policies.relations.model import AuthorizationModel
    from policies.relations.port import Explaining, Relations
    from policies.relations.refusals import (
        ConditionFailed,
        ModelProblem,
        ModelRefused,
        QuestionRefused,
        StoreFileRefused,
        TooDeep,
        TupleRefused,
    )
    from policies.relations.tuples import RelationshipTuple, TupleReader

_HOMES = {
    "AuthorizationModel": "model",
    "ConditionFailed": "refusals",
    "Explaining": "port",
    "ModelProblem": "refusals",
    "ModelRefused": "refusals",
    "QuestionRefused": "refusals",
    "Relations": "port",
    "RelationshipTuple": "tuples",
    "StoreFileRefused": "refusals",
    "TooDeep": "refusals",
    "TupleReader": "tuples",
    "TupleRefused": "refusals",
}

__all__ = [
    "AuthorizationModel",
    "ConditionFailed",
    "Explaining",
    "ModelProblem",
    "ModelRefused",
    "QuestionRefused",
    "Relations",
    "RelationshipTuple",
    "StoreFileRefused",
    "TooDeep",
    "TupleReader",
    "TupleRefused",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
