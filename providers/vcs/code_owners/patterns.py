"""Which files a pattern of a CODEOWNERS file means: two kinds of globs, and regular expressions.

Whoever may change the file writes the pattern, so that it is matched by RE2: in time that grows with the path alone.
"""

from __future__ import annotations

from collections.abc import Callable

import re2

Matches = Callable[[str], bool]

_MOST_MEMORY = 1 << 20  # bytes for one compiled pattern


class PatternRefused(ValueError):
    """A pattern this dialect does not have. offset: characters from the pattern's beginning."""

    def __init__(self, message: str, *, offset: int = 0, advice: str) -> None:
        super().__init__(message)
        self.offset, self.advice = offset, advice


def github_glob(pattern: str) -> Matches:
    """As a line of .gitignore, but for what GitHub leaves out. Raises PatternRefused."""
    # https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners#codeowners-syntax
    if pattern.startswith("!"):
        raise PatternRefused(
            "expected a pattern, found '!': GitHub has no negation here", advice="give these files a later line without owners"
        )
    if pattern.startswith("\\#"):
        raise PatternRefused("expected a pattern, found '\\#': GitHub does not read it", advice="write `?` in the place of the `#`")
    for sign in "[]":
        if sign in pattern:
            message = f"expected a pattern, found '{sign}': GitHub has no character ranges here"
            raise PatternRefused(message, offset=pattern.index(sign), advice="write a line for each name, or `?` for one character")
    folder, inside = pattern.endswith("/"), pattern.strip("/")
    if not inside:
        raise PatternRefused("expected a pattern, found only '/'", advice="write `*` for every file")
    anchored = "/" in pattern.rstrip("/")
    only_here = anchored and inside.rpartition("/")[2] in ("*", "**")  # `docs/*` is what lies in docs itself
    below = "/.+" if folder else "" if only_here else "(?:/.*)?"
    return _compiled(("" if anchored else "(?:.*/)?") + _glob(inside, classes=False) + below)


def gitlab_glob(pattern: str) -> Matches:
    """As Ruby's File.fnmatch with FNM_PATHNAME and FNM_DOTMATCH. Raises PatternRefused."""
    # https://docs.gitlab.com/user/project/codeowners/advanced/#pattern-matching
    inside = pattern.lstrip("/")
    if pattern != "*" and not inside:
        raise PatternRefused("expected a pattern, found only '/'", advice="write `*` for every file")
    if pattern.endswith("/"):
        inside += "**/*"
    return _compiled(("" if pattern.startswith("/") else "(?:.*/)?") + _glob(inside, classes=True))


def gitea_expression(pattern: str) -> Matches:
    """Go's regular expressions, put between `^` and `$`; a `!` before it means every other file. Raises PatternRefused."""
    # https://docs.gitea.com/usage/repository/code-owners
    negated = pattern.startswith("!")
    expression = pattern.removeprefix("!")
    if not expression:
        raise PatternRefused("expected a regular expression after '!', found nothing", advice="write `.*` for every file")
    matches = _compiled(f"^{expression}$", whole=False)
    return (lambda path: not matches(path)) if negated else matches


def _glob(inside: str, *, classes: bool) -> str:
    found: list[str] = []
    place = 0
    while place < len(inside):
        sign = inside[place]
        starts = place == 0 or inside[place - 1] == "/"
        if inside.startswith("**/", place) and starts:
            found.append("(?:.*/)?")
            place += 3
        elif inside[place:] == "**" and starts and not classes:
            found.append(".*")
            place += 2
        elif sign == "*":
            while inside.startswith("*", place):
                place += 1
            found.append("[^/]*")
        elif sign == "[" and classes:
            text, place = _class(inside, place)
            found.append(text)
        else:
            if sign == "\\" and place + 1 < len(inside):
                place += 1
            found.append("[^/]" if sign == "?" else re2.escape(inside[place]))
            place += 1
    return "".join(found)


def _class(inside: str, start: int) -> tuple[str, int]:
    """`[a-z]` or `[!a-z]` as an expression that never matches `/`, and where it ends."""
    place = start + 1
    negated = inside.startswith(("!", "^"), place)
    place += negated
    end = inside.find("]", place + 1)
    if end < 0:
        raise PatternRefused("expected ']' after '[', found the pattern's end", offset=start, advice="write `\\[` for the sign itself")
    body = inside[place:end].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("^", "\\^").replace("/", "")
    if not body:
        raise PatternRefused("expected characters between '[' and ']', found none", offset=start, advice="write `\\[` for the sign itself")
    return f"[^/{body}]" if negated else f"[{body}]", end + 1


def _compiled(expression: str, *, whole: bool = True) -> Matches:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    options.dot_nl = whole
    try:
        compiled = re2.compile(f"(?:{expression})" if whole else expression, options)
    except (re2.error, UnicodeEncodeError) as problem:
        raise PatternRefused(f"expected a pattern, found one that cannot be read: {_said(problem)}", advice="correct it") from problem
    tried = compiled.fullmatch if whole else compiled.search
    return lambda path: tried(path.encode("utf-8", "replace").decode()) is not None


def _said(problem: Exception) -> str:
    what = problem.args[0] if problem.args else ""
    return what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
