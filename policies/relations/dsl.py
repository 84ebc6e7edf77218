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
)
from policies.relations.refusals import ModelProblem, ModelRefused
from policies.relations.scanner import Scanner

LARGEST_MODEL = 256 * 1024  # bytes; https://openfga.dev/docs/getting-started/setup-openfga/configuration
DEEPEST_NESTING = 50

_RESERVED = frozenset({"and", "or", "from", "with", "define", "relations", "condition"})
_BUT_NOT = re.compile(r"but[ \t]+not\b(?![.\-/])")
_OPERATOR = re.compile(r"[ \t]+(?:(?P<name>or|and)|(?P<but>but[ \t]+not))(?=[ \t])[ \t]+")
_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_KINDS = frozenset(str(kind) for kind in ParameterKind)


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
        name = self._name("the module's name")
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
            self._condition(self._conditions)
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
        name = self._name("a type's name")
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
        name = self._name("a relation's name")
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
        again = re.compile(rf"[ \t]+{found['name']}(?=[ \t])[ \t]+")
        while self._scan.take_match(again):
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
        name = self._name("a relation")
        if scan.take_match(_FROM) is None:
            return Computed(relation=name, at=at)
        tupleset_at = scan.here
        return TupleToUserset(computed=name, tupleset=self._name("a relation"), at=at, tupleset_at=tupleset_at)

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
        type_name = self._name("a type")
        wildcard = scan.take(":")
        if wildcard:
            scan.need("*")
        relation = self._name("a relation") if not wildcard and scan.take("#") else None
        if scan.take_match(_WITH) is None:
            return Restriction(type=type_name, relation=relation, wildcard=wildcard, at=at)
        condition_at = scan.here
        condition = INLINE if scan.take(INLINE) else self._name("a condition's name")
        return Restriction(type=type_name, relation=relation, wildcard=wildcard, condition=condition, at=at, condition_at=condition_at)

    def _condition(self, conditions: dict[str, Condition]) -> None:
        scan = self._scan
        scan.need_word("condition")
        scan.need_blank()
        at = scan.here
        name = self._name("a condition's name")
        if name in conditions:
            self._problems.append(ModelProblem(code="duplicate", message=f"the condition '{name}' is defined twice", at=at))
        scan.blanks()
        scan.need("(")
        parameters = self._parameters(name)
        scan.blanks()
        scan.need("{")
        expression = scan.until_closing_brace().strip()
        conditions[name] = Condition(name=name, parameters=parameters, expression=expression, at=at)

    def _parameters(self, condition: str) -> dict[str, ParameterType]:
        scan = self._scan
        parameters: dict[str, ParameterType] = {}
        while True:
            scan.space()
            at = scan.here
            if scan.word() in _KINDS:
                scan.refuse("a parameter's name")
            name = (scan.take_match(_PARAMETER) or scan.refuse("a parameter's name"))[0]
            if name in parameters:
                message = f"the parameter '{name}' of condition '{condition}' is declared twice"
                self._problems.append(ModelProblem(code="duplicate", message=message, at=at))
            scan.blanks()
            scan.need(":")
            scan.blanks()
            parameters[name] = self._parameter_type()
            scan.space()
            if scan.take(")"):
                return parameters
            if not scan.take(","):
                scan.refuse("',' or ')'")

    def _parameter_type(self) -> ParameterType:
        scan = self._scan
        kind = self._kind()
        if not kind.takes_items:
            return ParameterType(kind=kind)
        scan.need("<")
        at = scan.here
        items = self._kind()
        if items.takes_items:
            scan.refuse("a type of items that is not itself a list or map", at=at)
        scan.need(">")
        return ParameterType(kind=kind, items=ParameterType(kind=items))

    def _kind(self) -> ParameterKind:
        word = self._scan.word()
        if word is None or word not in _KINDS:
            self._scan.refuse(f"one of {', '.join(sorted(_KINDS))}")
        self._scan.take_word(word)
        return ParameterKind(word)

    def _name(self, expected: str) -> str:
        word = self._scan.word()
        if word is None or word in _RESERVED:
            self._scan.refuse(expected)
        self._scan.take_word(word)
        return word


_FROM = re.compile(r"[ \t]+from(?=[ \t])[ \t]+")
_WITH = re.compile(r"[ \t]+with(?=[ \t])[ \t]+")
