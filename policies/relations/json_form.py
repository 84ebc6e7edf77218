"""OpenFGA's JSON form of a model ↔ `AuthorizationModel`.

https://openfga.dev/api/service, AuthorizationModel. What is written is what a server stores and
`fga model transform` prints; what is read may come from either. Unknown keys are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.model import Json
from policies.relations.model import (
    AuthorizationModel,
    Computed,
    Condition,
    Difference,
    Direct,
    Intersection,
    ParameterKind,
    ParameterType,
    Relation,
    Restriction,
    Rewrite,
    TupleToUserset,
    TypeDefinition,
    Union,
    leaves,
)
from policies.relations.refusals import ModelProblem, ModelRefused

_IGNORED = frozenset({"module", "source_info", "metadata"})
DEEPEST = 100


def model_from_json(document: Json) -> AuthorizationModel:
    """The model of a parsed JSON document. Raises ModelRefused, naming the place in the document."""
    top = _object(document, "the model", {"schema_version", "type_definitions", "conditions", "id"})
    definitions = [_type(item, f"type_definitions[{n}]") for n, item in enumerate(_list(top.get("type_definitions"), "type_definitions"))]
    types: dict[str, TypeDefinition] = {}
    repeated = tuple(one for one in definitions if types.setdefault(one.name, one) is not one)
    conditions = {name: _condition(name, item) for name, item in _object(top.get("conditions"), "conditions").items()}
    version = _text(top.get("schema_version"), "schema_version")
    return AuthorizationModel(schema_version=version, types=types, conditions=conditions, repeated=repeated)


def model_to_json(model: AuthorizationModel) -> dict[str, Json]:
    """The document a server takes for this model."""
    document: dict[str, Json] = {
        "schema_version": model.schema_version,
        "type_definitions": [_type_json(definition) for definition in model.types.values()],
    }
    if model.conditions:
        document["conditions"] = {name: _condition_json(condition) for name, condition in model.conditions.items()}
    return document


def _refused(where: str, expected: str, found: object) -> ModelRefused:
    kind = "nothing" if found is None else type(found).__name__
    return ModelRefused([ModelProblem(code="json", message=f"{where}: expected {expected}, found {kind}")])


def _object(value: Json, where: str, keys: set[str] | None = None) -> Mapping[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _refused(where, "an object", value)
    unknown = sorted(value.keys() - keys - _IGNORED) if keys is not None else []
    if unknown:
        raise ModelRefused([ModelProblem(code="json", message=f"{where}: unknown key '{unknown[0]}'")])
    return value


def _list(value: Json, where: str) -> Sequence[Json]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise _refused(where, "a list", value)
    return value


def _text(value: Json, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise _refused(where, "a text", value)
    return value


def _type(value: Json, where: str) -> TypeDefinition:
    document = _object(value, where, {"type", "relations"})
    name = _text(document.get("type"), f"{where}.type")
    metadata = _object(_object(document.get("metadata"), f"{where}.metadata").get("relations"), f"{where}.metadata.relations")
    relations = {}
    for relation, rewrite in _object(document.get("relations"), f"{where}.relations").items():
        place = f"{name}#{relation}"
        about = _object(metadata.get(relation), place, {"directly_related_user_types"})
        users = _list(about.get("directly_related_user_types"), place)
        restrictions = tuple(_restriction(item, place) for item in users)
        relations[relation] = Relation(name=relation, rewrite=_rewrite(rewrite, place, 0), restrictions=restrictions)
    return TypeDefinition(name=name, relations=relations)


def _restriction(value: Json, where: str) -> Restriction:
    document = _object(value, where, {"type", "relation", "wildcard", "condition"})
    return Restriction(
        type=_text(document.get("type"), f"{where}: type of a user"),
        relation=_optional(document.get("relation"), f"{where}: relation of a user"),
        wildcard=document.get("wildcard") is not None,
        condition=_optional(document.get("condition"), f"{where}: condition of a user"),
    )


def _optional(value: Json, where: str) -> str | None:
    return None if value in (None, "") else _text(value, where)


def _rewrite(value: Json, where: str, depth: int) -> Rewrite:
    if depth > DEEPEST:
        raise ModelRefused([ModelProblem(code="json", message=f"{where}: nested more than {DEEPEST} deep")])
    document = _object(value, where, {"this", "computedUserset", "tupleToUserset", "union", "intersection", "difference"})
    if len(document) != 1:
        raise ModelRefused([ModelProblem(code="json", message=f"{where}: expected one rewrite, found {len(document)}")])
    [(kind, body)] = document.items()
    match kind:
        case "this":
            return Direct()
        case "computedUserset":
            return Computed(relation=_named(body, where))
        case "tupleToUserset":
            parts = _object(body, where, {"tupleset", "computedUserset"})
            return TupleToUserset(computed=_named(parts.get("computedUserset"), where), tupleset=_named(parts.get("tupleset"), where))
        case "difference":
            parts = _object(body, where, {"base", "subtract"})
            base, subtract = (_rewrite(parts.get(key), where, depth + 1) for key in ("base", "subtract"))
            return Difference(base=base, subtract=subtract)
        case _:
            children = tuple(_rewrite(child, where, depth + 1) for child in _list(_object(body, where, {"child"}).get("child"), where))
            return Union(children=children) if kind == "union" else Intersection(children=children)


def _named(value: Json, where: str) -> str:
    document = _object(value, where, {"relation", "object"})
    return _text(document.get("relation"), f"{where}: relation")


def _condition(name: str, value: Json) -> Condition:
    document = _object(value, f"condition {name}", {"name", "expression", "parameters"})
    if document.get("name", name) != name:
        raise ModelRefused([ModelProblem(code="json", message=f"condition {name}: its name says '{document.get('name')}'")])
    parameters = {
        key: _parameter(item, f"condition {name}, parameter {key}")
        for key, item in _object(document.get("parameters"), f"condition {name}").items()
    }
    return Condition(name=name, parameters=parameters, expression=_text(document.get("expression"), f"condition {name}: expression"))


def _parameter(value: Json, where: str) -> ParameterType:
    document = _object(value, where, {"type_name", "generic_types"})
    name = _text(document.get("type_name"), where).removeprefix("TYPE_NAME_").lower()
    if name not in [str(kind) for kind in ParameterKind]:
        raise ModelRefused([ModelProblem(code="json", message=f"{where}: unknown type '{document.get('type_name')}'")])
    kind, generic = ParameterKind(name), _list(document.get("generic_types"), where)
    if len(generic) != int(kind.takes_items):
        raise ModelRefused(
            [ModelProblem(code="json", message=f"{where}: {kind} takes {int(kind.takes_items)} types, found {len(generic)}")]
        )
    items = _parameter(generic[0], where) if generic else None
    if items is not None and items.kind.takes_items:
        raise ModelRefused([ModelProblem(code="json", message=f"{where}: items of a {kind} cannot be a {items.kind}")])
    return ParameterType(kind=kind, items=items)


def _type_json(definition: TypeDefinition) -> dict[str, Json]:
    document: dict[str, Json] = {
        "type": definition.name,
        "relations": {name: _rewrite_json(relation.rewrite) for name, relation in definition.relations.items()},
    }
    if definition.relations:
        document["metadata"] = {"relations": {name: _users_json(relation) for name, relation in definition.relations.items()}}
    return document


def _users_json(relation: Relation) -> dict[str, Json]:
    direct = any(isinstance(leaf, Direct) for leaf in leaves(relation.rewrite))
    return {"directly_related_user_types": [_restriction_json(one) for one in relation.restrictions] if direct else []}


def _restriction_json(restriction: Restriction) -> dict[str, Json]:
    document: dict[str, Json] = {"type": restriction.type}
    if restriction.relation is not None:
        document["relation"] = restriction.relation
    if restriction.wildcard:
        document["wildcard"] = {}
    if restriction.condition is not None:
        document["condition"] = restriction.condition
    return document


def _rewrite_json(rewrite: Rewrite) -> dict[str, Json]:
    match rewrite:
        case Direct():
            return {"this": {}}
        case Computed(relation=relation):
            return {"computedUserset": {"relation": relation}}
        case TupleToUserset(computed=computed, tupleset=tupleset):
            return {"tupleToUserset": {"tupleset": {"relation": tupleset}, "computedUserset": {"relation": computed}}}
        case Union(children=children):
            return {"union": {"child": [_rewrite_json(child) for child in children]}}
        case Intersection(children=children):
            return {"intersection": {"child": [_rewrite_json(child) for child in children]}}
        case Difference(base=base, subtract=subtract):
            return {"difference": {"base": _rewrite_json(base), "subtract": _rewrite_json(subtract)}}


def _condition_json(condition: Condition) -> dict[str, Json]:
    parameters: dict[str, Json] = {name: _parameter_json(kind) for name, kind in condition.parameters.items()}
    return {"name": condition.name, "expression": condition.expression, "parameters": parameters}


def _parameter_json(parameter: ParameterType) -> dict[str, Json]:
    document: dict[str, Json] = {"type_name": f"TYPE_NAME_{parameter.kind.upper()}"}
    if parameter.items is not None:
        document["generic_types"] = [_parameter_json(parameter.items)]
    return document
