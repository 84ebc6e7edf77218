"""OpenFGA's modelling language, read into an `AuthorizationModel`.

https://openfga.dev/docs/configuration-language, schema 1.1 (a 1.2 header is read too; modules are not).
The grammar is that of openfga/language: line by line, `define` on one line, no mixing of `or`, `and`
and `but not` without parentheses, direct users only as the first operand. Every refusal has line and
column. Whether what was read makes sense is asked by `soundness`.
"""

from __future__ import annotations

import re

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


def parse_model(text: str) -> AuthorizationModel:
    """The model this text says. Raises ModelRefused with the first thing that is not the language, or all repeated names."""
    if len(text.encode(errors="replace")) > LARGEST_MODEL:
        raise ModelRefused([ModelProblem(code="too-large", message=f"a model is at most {LARGEST_MODEL} bytes")])
    return _Parser(text).model()


class _Parser:
    def __init__(self, text: str) -> None:
        self._scan = Scanner(text)
        self._problems: list[ModelProblem] = []
        self._restrictions: tuple[Restriction, ...] = ()

    def model(self) -> AuthorizationModel:
        scan = self._scan
        scan.space()
        if scan.word() == "module":
            self._refuse_module()
        scan.need_word("model")
        scan.line_break()
        scan.need_word("schema")
        scan.need_blank()
        schema_at = scan.here
        version = scan.take_match(_VERSION) or scan.refuse("a schema version such as 1.1")
        types, repeated, conditions = self._definitions()
        if self._problems:
            raise ModelRefused(self._problems)
        return AuthorizationModel(schema_version=version[0], types=types, conditions=conditions, repeated=repeated, schema_at=schema_at)

    def _refuse_module(self) -> None:
        scan = self._scan
        at = scan.here
        scan.need_word("module")
        scan.need_blank()
        self._name("the module's name")
        message = "a module is only a part of a model; combine the modules first (fga model transform)"
        raise ModelRefused([ModelProblem(code="schema-version-required", message=message, at=at)])

    def _definitions(self) -> tuple[dict[str, TypeDefinition], tuple[TypeDefinition, ...], dict[str, Condition]]:
        types: dict[str, TypeDefinition] = {}
        repeated: list[TypeDefinition] = []
        conditions: dict[str, Condition] = {}
        more = self._scan.line_break()
        while more and self._scan.word() in ("type", "extend"):
            definition = self._type()
            if types.setdefault(definition.name, definition) is not definition:
                repeated.append(definition)
            more = not self._scan.at_end
        while more and self._scan.word() == "condition":
            self._condition(conditions)
            more = self._scan.line_break()
        if more:
            self._scan.refuse("'type', 'relations', 'define' or 'condition'" if not conditions else "'condition'")
        return types, tuple(repeated), conditions

    def _type(self) -> TypeDefinition:
        scan = self._scan
        extends = scan.take_word("extend")
        if extends:
            scan.need_blank()
        scan.need_word("type")
        scan.need_blank()
        at = scan.here
        name = self._name("a type's name")
        if extends:
            self._problems.append(ModelProblem(code="extend", message="only a module can extend a type", at=at))
        relations: dict[str, Relation] = {}
        if scan.line_break() and scan.take_word("relations"):
            scan.line_break()
            self._relation(name, relations)
            while scan.line_break() and scan.word() == "define":
                self._relation(name, relations)
        return TypeDefinition(name=name, relations=relations, at=at)

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
