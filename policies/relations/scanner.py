"""The text of a model under a cursor: blanks, words, and the place where something else was expected.

Separate from the grammar (`dsl`), which only says what comes after what.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NoReturn

from policies.relations.model import Position
from policies.relations.refusals import ModelProblem, ModelRefused

# openfga/language: what follows " #", or a whole line beginning with "#", is a comment, in conditions too
_COMMENT = re.compile(r"^[ \t]*#.*|[ \t]#.*", re.MULTILINE)
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-/]*")
_RESERVED = frozenset({"and", "or", "from", "with", "define", "relations", "condition"})
_BLANK = re.compile(r"[ \t]+")
_SPACE = re.compile(r"[ \t\n]+")
_FOUND = re.compile(r"[A-Za-z0-9_.\-/]+|[ \t]+|\n+|.")


class Scanner:
    """A cursor over the text without its comments; columns are those of the text as given."""

    def __init__(self, text: str, file: str | None = None) -> None:
        self._file = file
        self._text = _TRAILING.sub("", _COMMENT.sub("", text.replace("\r\n", "\n")))
        self._lines = [0, *(found.end() for found in re.finditer("\n", self._text))]
        self._at = 0

    @property
    def here(self) -> Position:
        return self._position(self._at)

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def blanks(self) -> bool:
        """Skip blanks on this line; true if there were any."""
        return self._skip(_BLANK)

    def space(self) -> bool:
        """Skip blanks and line breaks; true if there were any."""
        return self._skip(_SPACE)

    def need_blank(self) -> None:
        if not self.blanks():
            self.refuse("a space")

    def line_break(self) -> bool:
        """Go on to the next line that has something; true if the text goes on, false at its end."""
        if not self.at_end and self._text[self._at] != "\n":
            self.refuse("the end of the line")
        self.space()
        return not self.at_end

    def ahead(self, literal: str) -> bool:
        """Does this text come next?"""
        return self._text.startswith(literal, self._at)

    def take(self, literal: str) -> bool:
        """Step over this text if it comes next."""
        if not self.ahead(literal):
            return False
        self._at += len(literal)
        return True

    def need(self, literal: str) -> None:
        if not self.take(literal):
            self.refuse(f"'{literal}'")

    def word(self) -> str | None:
        """The word that comes next, without stepping over it."""
        found = _WORD.match(self._text, self._at)
        return None if found is None else found[0]

    def take_word(self, *words: str) -> bool:
        """Step over the next word if it is one of these."""
        found = self.word()
        if found is None or found not in words:
            return False
        self._at += len(found)
        return True

    def need_word(self, word: str) -> None:
        if not self.take_word(word):
            self.refuse(f"'{word}'")

    def need_name(self, expected: str) -> str:
        """Step over a word that can name something, and give it."""
        found = self.word()
        if found is None or found in _RESERVED:
            self.refuse(expected)
        self._at += len(found)
        return found

    def take_match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Step over what the pattern matches here."""
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def matches(self, pattern: re.Pattern[str]) -> bool:
        return pattern.match(self._text, self._at) is not None

    def until_closing_brace(self) -> str:
        """The text up to the `}` that closes what is open, over strings and nested braces; the cursor is behind the brace."""
        start, depth = self._at, 0
        for found in _BRACES.finditer(self._text, start):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if depth < 0:
                self._at = found.end()
                return self._text[start : found.start()]
        self._at = len(self._text)
        return self.refuse("'}'")

    def refuse(self, expected: str, *, at: Position | None = None) -> NoReturn:
        """Raise ModelRefused: this was expected, something else is here."""
        found = _FOUND.match(self._text, self._at)
        shown = "the end of the text" if found is None else "the end of the line" if "\n" in found[0] else f"'{found[0]}'"
        problem = ModelProblem(code="syntax", message=f"expected {expected}, found {shown}", at=at or self.here)
        raise ModelRefused([problem])

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        return self.take_match(pattern) is not None

    def _position(self, offset: int) -> Position:
        line = bisect_right(self._lines, offset)
        return Position(line=line, column=offset - self._lines[line - 1] + 1, file=self._file)


_BRACES = re.compile(r"""[{}]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
