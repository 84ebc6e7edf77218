"""Relationship checks: the port and its values."""

from policies.relations.model import AuthorizationModel
from policies.relations.port import Relations
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

__all__ = [
    "AuthorizationModel",
    "ConditionFailed",
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
