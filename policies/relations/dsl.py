"""OpenFGA's modelling language, read into an `AuthorizationModel`.

https://openfga.dev/docs/configuration-language, schema 1.1 and 1.2; a file of a modular model is a `Module`.
The grammar is that of openfga/language: line by line, `define` on one line, no mixing of `or`, `and`
and `but not` without parentheses, direct users only as the first operand. Every refusal has line and
column. Whether what was read makes sense is asked by `soundness`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from policies.relations.conditions import INLINE
from policies.relations.dsl_conditions import read_condition
from policies.relations.model import (
    AuthorizationModel,
    Computed,
    Condition,
    Difference,
    Direct,
    Intersection,
    Relation,
    Restriction,
    Rewrite,
    TupleToUserset,
    TypeDefinition,
    Union,
)
from policies.relations.refusals import ModelProblem, ModelRefused
from policies.relations.scanner import Scanner

LARGEST_MODEL = 256 * 1024  # bytes; https://openfga.dev/docs/getting-started/setup-openfga/configuration
DEEPEST_NESTING = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of a modular model: its own types and conditions, and what it adds to types of others."""

    name: str
    types: Mapping[str, TypeDefinition]
    extensions: tuple[TypeDefinition, ...]
    conditions: Mapping[str, Condition]
    repeated: tuple[TypeDefinition, ...] = ()


def parse_model(text: str) -> AuthorizationModel:
    """The model this text says. Raises ModelRefused with the first thing that is not the language, or all repeated names."""
    return _parser(text, None).model()


def parse_module(text: str, file: str) -> Module:
    """The module this text says; places carry the file's name. Raises ModelRefused like `parse_model`."""
    return _parser(text, file).module()


def _parser(text: str, file: str | None) -> _Parser:
    if len(text.encode(errors="replace")) > LARGEST_MODEL:
        raise ModelRefused([ModelProblem(code="too-large", message=f"a model is at most {LARGEST_MODEL} bytes")])
    return _Parser(Scanner(text, file))


class _Parser:
    def __init__(self, scan: Scanner) -> None:
        self._scan = scan
        self._problems: list[ModelProblem] = []
        self._restrictions: tuple[Restriction, ...] = ()
        self._types: dict[str, TypeDefinition] = {}
        self._repeated: list[TypeDefinition] = []
        self._extensions: list[TypeDefinition] = []
        self._conditions: dict[str, Condition] = {}

    def model(self) -> AuthorizationModel:
        scan = self._scan
        scan.space()
        if scan.word() == "module":
            at = scan.here
            self.module()
            message = "a module is only a part of a model; name its files in an fga.mod"
            raise ModelRefused([ModelProblem(code="schema-version-required", message=message, at=at)])
        scan.need_word("model")
        scan.line_break()
        scan.need_word("schema")
        scan.need_blank()
        schema_at = scan.here
        version = scan.take_match(_VERSION) or scan.refuse("a schema version such as 1.1")
        self._definitions()
        for extension in self._extensions:
            self._problems.append(ModelProblem(code="extend", message="only a module can extend a type", at=extension.at))
        self._refuse()
        return AuthorizationModel(
            schema_version=version[0],
            types=self._types,
            conditions=self._conditions,
            repeated=tuple(self._repeated),
            schema_at=schema_at,
        )

    def module(self) -> Module:
        scan = self._scan
        scan.space()
        at = scan.here
        if scan.word() == "model":
            raise ModelRefused([ModelProblem(code="not-a-module", message="expected a module, found a whole model", at=at)])
        scan.need_word("module")
        scan.need_blank()
        name = self._scan.need_name("the module's name")
        self._definitions()
        self._refuse()
        return Module(
            name=name,
            types=self._types,
            extensions=tuple(self._extensions),
            conditions=self._conditions,
            repeated=tuple(self._repeated),
        )

    def _refuse(self) -> None:
        if self._problems:
            raise ModelRefused(self._problems)

    def _definitions(self) -> None:
        more = self._scan.line_break()
        while more and self._scan.word() in ("type", "extend"):
            self._type()
            more = not self._scan.at_end
        while more and self._scan.word() == "condition":
            self._condition()
            more = self._scan.line_break()
        if more:
            self._scan.refuse("'condition'" if self._conditions else "'type', 'relations', 'define' or 'condition'")

    def _type(self) -> None:
        scan = self._scan
        extends = scan.take_word("extend")
        if extends:
            scan.need_blank()
        scan.need_word("type")
        scan.need_blank()
        at = scan.here
        name = self._scan.need_name("a type's name")
        relations: dict[str, Relation] = {}
        if scan.line_break() and scan.take_word("relations"):
            scan.line_break()
            self._relation(name, relations)
            while scan.line_break() and scan.word() == "define":
                self._relation(name, relations)
        self._take_type(TypeDefinition(name=name, relations=relations, at=at), extends=extends)

    def _take_type(self, definition: TypeDefinition, *, extends: bool) -> None:
        if not extends:
            if self._types.setdefault(definition.name, definition) is not definition:
                self._repeated.append(definition)
        elif any(one.name == definition.name for one in self._extensions):
            message = f"the type '{definition.name}' is extended twice in this file"
            self._problems.append(ModelProblem(code="duplicate", message=message, at=definition.at))
        else:
            self._extensions.append(definition)

    def _relation(self, type_name: str, relations: dict[str, Relation]) -> None:
        scan = self._scan
        scan.need_word("define")
        scan.need_blank()
        at = scan.here
        name = self._scan.need_name("a relation's name")
        scan.blanks()
        scan.need(":")
        scan.blanks()
        self._restrictions = ()
        rewrite = self._rewrite(direct=True, depth=0)
        if name in relations:
            message = f"the relation '{name}' of type '{type_name}' is defined twice"
            self._problems.append(ModelProblem(code="duplicate", message=message, at=at))
        relations[name] = Relation(name=name, rewrite=rewrite, restrictions=self._restrictions, at=at)

    def _rewrite(self, *, direct: bool, depth: int) -> Rewrite:
        first = self._operand(direct=direct, depth=depth)
        found = self._scan.take_match(_OPERATOR)
        if found is None:
            return first
        if found["but"]:
            return Difference(base=first, subtract=self._operand(direct=False, depth=depth))
        children = [first, self._operand(direct=False, depth=depth)]
        while self._scan.take_match(_AGAIN[found["name"]]):
            children.append(self._operand(direct=False, depth=depth))
        return Union(children=tuple(children)) if found["name"] == "or" else Intersection(children=tuple(children))

    def _operand(self, *, direct: bool, depth: int) -> Rewrite:
        scan = self._scan
        if direct and scan.ahead("["):
            return self._direct()
        if scan.ahead("("):
            if depth >= DEEPEST_NESTING:
                scan.refuse(f"at most {DEEPEST_NESTING} parentheses within each other")
            scan.need("(")
            scan.blanks()
            inner = self._rewrite(direct=direct, depth=depth + 1)
            scan.blanks()
            scan.need(")")
            return inner
        return self._named_rewrite()

    def _named_rewrite(self) -> Rewrite:
        scan = self._scan
        at = scan.here
        if scan.matches(_BUT_NOT):
            scan.refuse("a relation")
        name = self._scan.need_name("a relation")
        if scan.take_match(_FROM) is None:
            return Computed(relation=name, at=at)
        tupleset_at = scan.here
        return TupleToUserset(computed=name, tupleset=self._scan.need_name("a relation"), at=at, tupleset_at=tupleset_at)

    def _direct(self) -> Direct:
        scan = self._scan
        at = scan.here
        scan.need("[")
        found = []
        while True:
            scan.space()
            found.append(self._restriction())
            scan.space()
            if scan.take("]"):
                break
            if not scan.take(","):
                scan.refuse("',' or ']'")
        self._restrictions = tuple(found)
        return Direct(at=at)

    def _restriction(self) -> Restriction:
        scan = self._scan
        at = scan.here
        type_name = self._scan.need_name("a type")
        wildcard = scan.take(":")
        if wildcard:
            scan.need("*")
        relation = self._scan.need_name("a relation") if not wildcard and scan.take("#") else None
        if scan.take_match(_WITH) is None:
            return Restriction(type=type_name, relation=relation, wildcard=wildcard, at=at)
        condition_at = scan.here
        condition = INLINE if scan.take(INLINE) else self._scan.need_name("a condition's name")
        return Restriction(type=type_name, relation=relation, wildcard=wildcard, condition=condition, at=at, condition_at=condition_at)

    def _condition(self) -> None:
        condition, repeated = read_condition(self._scan)
        if condition.name in self._conditions:
            message = f"the condition '{condition.name}' is defined twice"
            self._problems.append(ModelProblem(code="duplicate", message=message, at=condition.at))
        self._problems.extend(repeated)
        self._conditions[condition.name] = condition


_BUT_NOT = re.compile(r"but[ \t]+not\b(?![.\-/])")
_OPERATOR = re.compile(r"[ \t]+(?:(?P<name>or|and)|(?P<but>but[ \t]+not))(?=[ \t])[ \t]+")
_AGAIN = {name: re.compile(rf"[ \t]+{name}(?=[ \t])[ \t]+") for name in ("or", "and")}
_FROM = re.compile(r"[ \t]+from(?=[ \t])[ \t]+")
_WITH = re.compile(r"[ \t]+with(?=[ \t])[ \t]+")
_VERSION = re.compile(r"[0-9]+\.[0-9]+")
