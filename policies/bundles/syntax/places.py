"""On which lines something of a syntax tree stands.

`rego.parse_module` gives no locations, so they are found again in the source by its words. OPA has parsed
the source already, so splitting it into words needs no grammar: names, strings, comments, brackets.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

from policies.bundles.syntax.tree import Module, Ref, Rule
from policies.values import value

_STRING = r'"(?:[^"\\\n]|\\.)*"'
_RAW = r"`[^`]*`"
_PLAIN = rf"""(?:[^{{}}"`]|{_STRING}|{_RAW})*"""
_HOLE = rf"\{{{_PLAIN}(?:\{{{_PLAIN}\}}{_PLAIN})*\}}"
"""`{…}` of a template string, with strings and one more pair of braces inside."""
_WORD = re.compile(
    rf"""(?P<comment>\#[^\n]*)
      | (?P<template>\$"(?:[^"\\\n{{]|\\.|{_HOLE})*"|\$`(?:[^`{{]|{_HOLE})*`)
      | (?P<raw>{_RAW})
      | (?P<string>{_STRING})
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9][0-9.eE+-]*)
      | (?P<mark>[^\s])""",
    re.VERBOSE,
)
_HOLES = re.compile(rf"(?<!\\){_HOLE}")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@value
class Word:
    """One word of the source. depth: how many brackets are open before it. first: nothing stands before it on its line."""

    text: str
    row: int
    column: int
    depth: int
    first: bool


class Places:
    """Finds lines in one module's source."""

    def __init__(self, module: Module) -> None:
        self._module = module

    @cached_property
    def _words(self) -> tuple[Word, ...]:
        return tuple(_words(self._module.source))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(self._rule_starts(self._module.rules))

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {id(rule): start for rule, start in zip(self._module.rules, self._starts, strict=True)}

    @cached_property
    def _at(self) -> dict[str, list[int]]:
        """Where each word stands."""
        found: dict[str, list[int]] = {}
        for number, word in enumerate(self._words):
            found.setdefault(word.text, []).append(number)
        return found

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(sorted(set(self._starts)))

    def package(self) -> int:
        """The line of `package`."""
        return next((word.row for word in self._words if word.text == "package" and word.first), 1)

    def rule(self, rule: Rule) -> int:
        """The line a rule begins on."""
        return self._words[self._rows[id(rule)]].row

    def ref(self, ref: Ref, within: Rule | None = None) -> tuple[int, ...]:
        """Every line on which this reference is written, in one rule or anywhere in the file; at least one line."""
        first, last = self._range(within)
        rows = [self._words[at].row for at in self._at.get(ref.root or "", ()) if first <= at < last and self._matches(at, ref)]
        return tuple(dict.fromkeys(rows)) or (self._words[first].row if self._words else 1,)

    def _range(self, rule: Rule | None) -> tuple[int, int]:
        if rule is None:
            return 0, len(self._words)
        start = self._rows[id(rule)]
        after = bisect_right(self._ends, start)
        return start, self._ends[after] if after < len(self._ends) else len(self._words)

    def _rule_starts(self, rules: Sequence[Rule]) -> Iterator[int]:
        """Rules stand in the tree as in the source: each begins a line, outside all brackets, with its name."""
        at = 0
        for rule in rules:
            found = self._next_head(rule, at)
            if found is None:
                yield max(at - 1, 0)
            else:
                yield found
                at = found + 1

    def _next_head(self, rule: Rule, at: int) -> int | None:
        indented = None
        candidates = self._at.get("default" if rule.is_default else rule.name, [])
        for position in candidates[bisect_left(candidates, at) :]:
            word = self._words[position]
            if word.depth or not word.first or not self._begins(rule, position):
                continue
            if word.column == 1:
                return position
            indented = position if indented is None else indented
        return indented

    def _begins(self, rule: Rule, position: int) -> bool:
        if rule.is_default:
            return self._text(position) == "default" and self._text(position + 1) == rule.name
        return self._text(position) == rule.name

    def _matches(self, at: int, ref: Ref) -> bool:
        if self._text(at) != ref.root or self._text(at - 1) == ".":
            return False
        at += 1
        for step in ref.steps:
            if self._text(at) == "." and self._text(at + 1) == step:
                at += 2
            elif self._text(at) == "[" and (step is None or self._text(at + 1) in (json.dumps(step), f"`{step}`")):
                at = self._closing(at) + 1
            else:
                return False
        return True

    def _closing(self, at: int) -> int:
        depth = self._words[at].depth
        return next(
            (later for later in range(at + 1, len(self._words)) if self._words[later].depth == depth + 1 and self._text(later) == "]"), at
        )

    def _text(self, at: int) -> str | None:
        return self._words[at].text if 0 <= at < len(self._words) else None


def _words(source: str) -> Iterator[Word]:
    depth, last_row = 0, 0
    line_starts = [0, *(match.end() for match in re.finditer("\n", source))]
    for match in _WORD.finditer(_opened(source)):
        text = match.group()
        if match.lastgroup == "comment":
            continue
        row = bisect_right(line_starts, match.start())
        yield Word(text=text, row=row, column=match.start() - line_starts[row - 1] + 1, depth=depth, first=row != last_row)
        last_row = row
        if match.lastgroup == "mark":
            depth += (text in _OPEN) - (text in _CLOSE)


def _opened(source: str) -> str:
    """Template strings with everything but their `{…}` blanked, at the same length, so that what they read is found."""

    def opened(match: re.Match[str]) -> str:
        text = match.group()
        if match.lastgroup != "template":
            return text
        kept = [" "] * len(text)
        for hole in _HOLES.finditer(text):
            kept[hole.start() : hole.end()] = hole.group()
        return "".join("\n" if char == "\n" else new for char, new in zip(text, kept, strict=True))

    return _WORD.sub(opened, source)
