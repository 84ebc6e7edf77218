"""Mutations that only take knowledge away, drawn from a seeded random source.

This is what makes the oracle sound. A mutation drops a member of an object, renames it, sets
it to null, or puts an empty value of another type in its place: afterwards the document says
strictly less than before. It never drops an element of a list or of a map that users fill (a
workflow's labels and input), never replaces null and never puts another value of the same type:
"there are fewer reviews", "there are no threads after all", "the label is another one" are new
knowledge, and may well admit.
A policy that needs evidence to admit cannot be admitted by knowing less, so the oracle is:
whatever was denied or held stays not admitted, without any exception.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

EMPTY = (None, "", 0, False, [], {})
"""Values without content, one of each JSON type."""

FILLED_BY_USERS = {("workflow", "labels"), ("workflow", "input")}
"""Maps in which a missing key is an answer: whoever submits decides which keys there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """What is done to the value at `path` (keys and list positions from the top). The text of it names a failing case."""

    path: tuple[str | int, ...]
    act: str
    value: object = None

    def __str__(self) -> str:
        place = ".".join(map(str, self.path))
        return f"{self.act} {place}" + (f" with {self.value!r}" if self.act == "replace" else "")

    def applied(self, document):
        """A mutated copy."""
        mutated = copy.deepcopy(document)
        holder = mutated
        for step in self.path[:-1]:
            holder = holder[step]
        last = self.path[-1]
        match self.act:
            case "replace":
                holder[last] = copy.deepcopy(self.value)
            case "drop":
                del holder[last]
            case "rename":
                holder[f"{last}s"] = holder.pop(last)
        return mutated


def paths(value, before=()):
    """Every place in the document below its top."""
    match value:
        case dict():
            members = list(value.items())
        case list():
            members = list(enumerate(value))
        case _:
            members = []
    for key, member in members:
        yield (*before, key)
        yield from paths(member, (*before, key))


def mutations(document):
    """All mutations of one place of the document, in a stable order."""
    for path in paths(document):
        value = document
        for step in path:
            value = value[step]
        if isinstance(path[-1], str) and path[:-1] not in FILLED_BY_USERS:
            yield Mutation(path=path, act="drop")
            yield Mutation(path=path, act="rename")
        for empty in EMPTY:
            if value is not None and type(empty) is not type(value):
                yield Mutation(path=path, act="replace", value=empty)


def drawn(random, document, most=3):
    """One to `most` mutations, one after another, and what they make of the document."""
    done = []
    for _ in range(random.randint(1, most)):
        choices = list(mutations(document))
        if not choices:
            break
        done.append(random.choice(choices))
        document = done[-1].applied(document)
    return done, document


def losses(document, read):
    """Every mutation of one place that lies on the way to, at or below one of the paths in `read`.

    Renaming is left out: to a policy it is dropping. So is what no policy reads, for it cannot matter.
    """
    for mutation in mutations(document):
        if mutation.act != "rename" and any(mutation.path[: len(path)] == path[: len(mutation.path)] for path in read):
            yield mutation


def broken_texts(modules, random, number):
    """`number` copies of a bundle's modules, each with one line of one body gone, or one comparison turned round."""
    places = [
        (path, line)
        for path, text in sorted(modules.items())
        for line, content in enumerate(text.splitlines())
        if content.startswith("\t") and not content.strip().startswith(('"', "}", "]", "#")) and not content.endswith(("{", "[", "|", ","))
    ]
    for path, line in random.sample(places, min(number, len(places))):
        lines = modules[path].splitlines()
        turned = lines[line].replace(" == ", " != ") if random.random() < 0.5 else lines[line]
        lines[line : line + 1] = [] if turned == lines[line] else [turned]
        yield {**modules, path: "\n".join(lines)}
