"""A model written in the DSL, for export and for people: `parse_model` reads it back as a model that means the same.

Not every model that JSON can say has a form in the DSL; what has none is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.relations.model import (
    AuthorizationModel,
    Computed,
    Condition,
    Difference,
    Direct,
    Intersection,
    Relation,
    Rewrite,
    TupleToUserset,
    TypeDefinition,
    Union,
)
from policies.relations.refusals import ModelProblem, ModelRefused


def written(model: AuthorizationModel) -> str:
    """The model's DSL. Raises ModelRefused for users named directly where the DSL has no place for them."""
    blocks = [f"model\n  schema {model.schema_version}"]
    blocks += ["\n".join(_type(definition)) for definition in model.types.values()]
    blocks += [_condition(condition) for condition in model.conditions.values()]
    return "\n\n".join(blocks) + "\n"


def _type(definition: TypeDefinition) -> Iterator[str]:
    yield f"type {definition.name}"
    if definition.relations:
        yield "  relations"
    for relation in definition.relations.values():
        yield f"    define {relation.name}: {_rewrite(relation.rewrite, relation, first=True, nested=False)}"


def _rewrite(rewrite: Rewrite, relation: Relation, *, first: bool, nested: bool) -> str:
    """`first`: nothing of this relation stands before it, so users may be named here."""
    match rewrite:
        case Direct():
            if not first:
                message = f"the DSL names users only as the first part of a relation, '{relation.name}' does elsewhere"
                raise ModelRefused([ModelProblem(code="not-in-dsl", message=message, at=relation.at)])
            return f"[{', '.join(str(one) for one in relation.restrictions)}]"
        case Computed(relation=name):
            return name
        case TupleToUserset(computed=computed, tupleset=tupleset):
            return f"{computed} from {tupleset}"
        case Union(children=children):
            text = _joined(" or ", _direct_first(children), relation, first=first)
        case Intersection(children=children):
            text = _joined(" and ", _direct_first(children), relation, first=first)
        case Difference(base=base, subtract=subtract):
            text = _joined(" but not ", (base, subtract), relation, first=first)
    return f"({text})" if nested else text


def _direct_first(children: tuple[Rewrite, ...]) -> tuple[Rewrite, ...]:
    """In the order the DSL wants, which changes nothing about what `or` and `and` mean."""
    return tuple(sorted(children, key=lambda child: not isinstance(child, Direct)))


def _joined(operator: str, children: tuple[Rewrite, ...], relation: Relation, *, first: bool) -> str:
    parts = [_rewrite(child, relation, first=first and number == 0, nested=True) for number, child in enumerate(children)]
    return operator.join(parts)


def _condition(condition: Condition) -> str:
    parameters = ", ".join(f"{name}: {kind}" for name, kind in condition.parameters.items())
    return f"condition {condition.name}({parameters}) {{\n  {condition.expression}\n}}"
