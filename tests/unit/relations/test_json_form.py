"""OpenFGA's JSON form of a model, read strictly."""

from __future__ import annotations

import pytest

from policies.relations.dsl import parse_model
from policies.relations.json_form import DEEPEST, model_from_json, model_to_json
from policies.relations.refusals import ModelRefused

USER = {"type": "user", "relations": {}}


def model_with(rewrite, users=({"type": "user"},)):
    metadata = {"relations": {"r": {"directly_related_user_types": list(users)}}}
    return {"schema_version": "1.1", "type_definitions": [USER, {"type": "team", "relations": {"r": rewrite}, "metadata": metadata}]}


def conditional(**parameter):
    condition = {"name": "c", "expression": "true", "parameters": {"x": parameter}}
    return {"schema_version": "1.1", "type_definitions": [USER], "conditions": {"c": condition}}


def test_what_the_server_stores_is_read_as_the_model_it_means():
    """Ids, module metadata and nulls that servers add change nothing."""
    document = {
        "id": "01",
        "schema_version": "1.1",
        "type_definitions": [
            {"type": "user", "relations": {}, "metadata": None},
            {
                "type": "team",
                "relations": {
                    "r": {"union": {"child": [{"this": {}}, {"computedUserset": {"object": "", "relation": "s"}}]}},
                    "s": {"this": {}},
                },
                "metadata": {
                    "module": "core",
                    "source_info": {"file": "core.fga"},
                    "relations": {
                        "r": {"directly_related_user_types": [{"type": "user", "condition": ""}], "module": "", "source_info": None},
                        "s": {"directly_related_user_types": [{"type": "user", "wildcard": {}}]},
                    },
                },
            },
        ],
        "conditions": {},
    }
    text = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define r: [user] or s\n    define s: [user:*]"
    assert model_from_json(document) == parse_model(text)
    assert model_from_json(model_to_json(parse_model(text))) == parse_model(text)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "schema_version"),
        ([], "expected an object"),
        ({"type_definitions": []}, "schema_version"),
        ({"schema_version": 1.1}, "schema_version"),
        ({"schema_version": "1.1", "types": []}, "unknown key 'types'"),
        ({"schema_version": "1.1", "type_definitions": {}}, "expected a list"),
        ({"schema_version": "1.1", "type_definitions": [{}]}, "type_definitions[0].type"),
        ({"schema_version": "1.1", "type_definitions": [{"type": "a", "relation": {}}]}, "unknown key 'relation'"),
        (model_with({}), "expected one rewrite, found 0"),
        (model_with({"this": {}, "computedUserset": {"relation": "r"}}), "expected one rewrite, found 2"),
        (model_with({"that": {}}), "unknown key 'that'"),
        (model_with({"computedUserset": {}}), "team#r: relation"),
        (model_with({"tupleToUserset": {"tupleset": {"relation": "p"}}}), "team#r: relation"),
        (model_with({"union": {"child": {}}}), "expected a list"),
        (model_with({"difference": {"base": {"this": {}}}}), "expected one rewrite, found 0"),
        (model_with({"this": {}}, [{"type": ""}]), "type of a user"),
        (model_with({"this": {}}, ["user"]), "expected an object"),
        (conditional(type_name="TYPE_NAME_TEXT"), "unknown type"),
        (conditional(type_name="TYPE_NAME_LIST"), "takes 1 types"),
        (conditional(type_name="TYPE_NAME_INT", generic_types=[{"type_name": "TYPE_NAME_INT"}]), "takes 0 types"),
        (conditional(), "expected a text"),
        ({"schema_version": "1.1", "conditions": {"c": {"name": "d", "expression": "true"}}}, "its name says 'd'"),
        ({"schema_version": "1.1", "conditions": {"c": {"name": "c"}}}, "expression"),
    ],
)
def test_a_document_that_is_no_model_is_refused_by_its_place(document, says):
    """Wrong kinds, unknown keys and missing parts are named."""
    with pytest.raises(ModelRefused) as refusal:
        model_from_json(document)
    assert says in str(refusal.value)


def test_a_tower_of_operators_is_refused():
    """Depth is bounded long before the interpreter's own limit."""
    rewrite = {"this": {}}
    for _ in range(DEEPEST + 5):
        rewrite = {"union": {"child": [rewrite, {"this": {}}]}}
    with pytest.raises(ModelRefused, match="deep"):
        model_from_json(model_with(rewrite))
