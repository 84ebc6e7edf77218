"""Which comments command something, and what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.comment_command import FRESH, commands_in
from providers.vcs import Comment
from providers.vcs.memory import MemoryForge
from tests.builders import NOON


@pytest.fixture(scope="module")
def change():
    """An open change as a forge tells it."""
    forge = MemoryForge(connection="work")
    forge.create_repository("acme/shop")
    key = forge.open_change("acme/shop", head="work", files={"a": "1"}, by="ana")
    return asyncio.run(forge.read_change(key))


def found(change, body, **fields):
    comment = Comment(**{"user": change.author, "body": body, "created_at": NOON, "edited": False, **fields})
    return [(c.workflow, c.target, c.input) for c in commands_in(replace(change, comments=(comment,)), now=NOON + timedelta(minutes=1))]


COMMANDS = {
    "a name": ("/run deploy", [("deploy", None, {})]),
    "fields": (
        "/run deploy env=prod n=3 dry=true version=1.10 big=99999999999999999999 empty=",
        [
            ("deploy", None, {"env": "prod", "n": 3, "dry": True, "version": "1.10", "big": "99999999999999999999", "empty": ""}),
        ],
    ),
    "a target": ("/run deploy on production env=prod", [("deploy", "production", {"env": "prod"})]),
    "among other lines": ("please\n\n/run deploy env=prod\r\nthanks", [("deploy", None, {"env": "prod"})]),
    "two": ("/run a\n/run b", [("a", None, {}), ("b", None, {})]),
    "in the middle of a line": ("please /run deploy", []),
    "quoted": ("> /run deploy", []),
    "in a code block's indentation": ("    /run deploy", []),
    "a word that is no field": ("/run deploy env=prod now", []),
    "a field twice": ("/run deploy env=prod env=staging", []),
    "no name": ("/run", []),
    "another word": ("/runner deploy", []),
    "a very long line": ("/run deploy a=" + "x" * 5000, []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("body", "expected"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_a_line_of_its_own(change, body, expected):
    """The whole line is understood, or it commands nothing."""
    assert found(change, body) == expected


@pytest.mark.parametrize("edited", [True, None], ids=["edited", "the forge cannot say"])
def test_what_may_have_been_edited_commands_nothing(change, edited):
    """Nobody else's words become a command of its author."""
    assert found(change, "/run deploy", edited=edited) == []


def test_what_was_asked_long_ago_commands_nothing(change):
    """A gateway that was away, or sees a change for the first time, does not run its past."""
    assert found(change, "/run deploy", created_at=NOON - FRESH) == []


def test_the_key_is_the_same_whenever_the_comment_is_read(change):
    """So it is submitted once; another line is another command."""
    comment = Comment(user=change.author, body="/run a\n/run b", created_at=NOON, edited=False)
    first, second = [[c.key for c in commands_in(replace(change, comments=(comment,)), now=NOON + timedelta(minutes=m))] for m in (1, 2)]
    assert first == second
    assert len(set(first)) == 2
