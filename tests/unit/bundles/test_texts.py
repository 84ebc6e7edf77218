"""JSON and YAML: read by everybody alike, or refused with the line."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles.text import Unreadable, read_json, read_yaml

YAML = {
    "plain": (
        "a: 1\nb: [x, 'y', \"z\"]\nc: {d: null, e: true, f: 1.5}\n",
        {"a": 1, "b": ["x", "y", "z"], "c": {"d": None, "e": True, "f": 1.5}},
    ),
    "a day stays text, as OPA reads it": ("a: 2026-01-01\n", {"a": "2026-01-01"}),
    "quoted words stay text": ("a: 'yes'\nb: \"010\"\n", {"a": "yes", "b": "010"}),
    "block text": ("a: |\n  yes\n", {"a": "yes\n"}),
    "exponents": ("a: 1e3\n", {"a": 1000.0}),
    "nothing": ("", None),
    "a comment alone": ("# nothing\n", None),
}


@pytest.mark.parametrize(("text", "value"), YAML.values(), ids=YAML)
def test_yaml_is_read_as(text, value):
    """The part of YAML that all readers agree on."""
    assert read_yaml("x.yaml", text.encode()).value == value


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=50), inner),
    )
)
def test_json_is_read_alike_as_json_and_as_yaml(value):
    """JSON is YAML: whoever writes the one into the other's file gets the same (keys of 1,000 characters apart)."""
    text = json.dumps(value)
    assert read_json("x.json", text.encode()).value == value
    assert read_yaml("x.yaml", text.encode()).value == value


_PIECES = [
    "a",
    "b: ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "# c",
    "'",
    '"',
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "|\n",
    "> \n",
    "&x ",
    "*x",
    "!t ",
    "%",
    "@",
]
_PIECES += [
    "0",
    "1.5",
    "~",
    "null",
    "yes",
    "0x1f",
    "? ",
    ": ",
    ":",
    "-",
    "---\n",
    "...\n",
    "\t",
    "\\n",
    "\\ud83d",
    "ü",
    "\ufeff",
    "\x85",
    "<<: ",
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(_PIECES), max_size=9).map("".join))
def test_yaml_is_read_alike_with_and_without_libyaml(text):
    """The same value or the same refusal: what is in force must not depend on how PyYAML was installed."""

    def read():
        try:
            return json.dumps(read_yaml("x.yaml", text.encode()).value)
        except Unreadable as problem:
            return str(problem)

    with pytest.MonkeyPatch.context() as patch:
        quick = read()
        patch.delattr(yaml, "CSafeLoader")
        assert read() == quick


def test_libyaml_is_what_reads_large_files():
    """The installation the tests run in has it, so that the comparison above is one."""
    assert hasattr(yaml, "CSafeLoader")


REFUSED_YAML = {
    "yes": ("a: 1\nb: yes\n", "x.yaml:2: yes means one thing in YAML 1.1 and another in 1.2; put it in quotes, or write the plain value"),
    "on": ("a: On\n", "x.yaml:1: On means one thing in YAML 1.1 and another in 1.2; put it in quotes, or write the plain value"),
    "on as key": ("on: 1\n", "x.yaml:1: on means one thing in YAML 1.1 and another in 1.2; put it in quotes, or write the plain value"),
    "octal": ("a: 010\n", "x.yaml:1: 010 means one thing in YAML 1.1 and another in 1.2; put it in quotes, or write the plain value"),
    "sixty minutes": (
        "a: 1:30\n",
        "x.yaml:1: 1:30 means one thing in YAML 1.1 and another in 1.2; put it in quotes, or write the plain value",
    ),
    "a number as key": ("a:\n  1: x\n", "x.yaml:2: expected a text as key, found something else; put it in quotes"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "x.yaml:3: expected every key once, found 'a' twice"),
    "an alias": ("a: &x 1\nb: *x\n", "x.yaml:2: expected YAML, found something else: an alias (*name); write the value out"),
    "a tag": ("a: !secret x\n", "x.yaml:1: expected plain YAML, found the tag !secret"),
    "two documents": ("a: 1\n---\nb: 2\n", "x.yaml:2: expected YAML, found something else: but found another document"),
    "a bracket too few": ("a: [1\nb: 2\n", "x.yaml:2: expected YAML, found something else: expected ',' or ']', but got ':'"),
    "endless": ("a: 1e999\n", "x.yaml:1: expected a number of ordinary size, found 1e999"),
    "a number of 5,000 digits": (f"a: {'9' * 5000}\n", f"x.yaml:1: expected a number of ordinary size, found {'9' * 40}"),
    "half a character": ('a: "\\ud800"', "x.yaml:1: expected whole characters, found half a surrogate pair"),
    "not utf-8": (b"a: 1\nb: \xff\n", "x.yaml:2: expected UTF-8, found other bytes; save the file as UTF-8"),
    "a control character": (
        "a: \x01\n",
        "x.yaml: expected YAML, found something else: unacceptable character #x0001: special characters are not allowed",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED_YAML.values(), ids=REFUSED_YAML)
def test_yaml_is_refused_for(text, message):
    """Where readers differ, or the text is none, with its line."""
    with pytest.raises(Unreadable) as refused:
        read_yaml("x.yaml", text if isinstance(text, bytes) else text.encode())
    assert str(refused.value).splitlines()[0] == message


REFUSED_JSON = {
    "a comma too many": ('{"a": 1,}', "x.json:1: expected JSON, found something else: Expecting property name enclosed in double quotes"),
    "on line three": ('{\n"a": 1\n"b": 2}', "x.json:3: expected JSON, found something else: Expecting ',' delimiter"),
    "a key twice": ('{"a": 1, "a": 2}', "x.json: expected JSON, found the key 'a' twice in one object"),
    "NaN": ('{"a": NaN}', "x.json: expected JSON, found NaN, which JSON does not have"),
    "endless": ('{"a": 1e999}', "x.json: expected JSON, found 1e999, which is more than a number can hold"),
    "half a character": (r'{"a": "\ud800"}', "x.json: expected whole characters, found half a surrogate pair"),
    "not utf-8": (b'{"a":\n"\xe4"}', "x.json:2: expected UTF-8, found other bytes; save the file as UTF-8"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED_JSON.values(), ids=REFUSED_JSON)
def test_json_is_refused_for(text, message):
    """Strictly JSON, every key once."""
    with pytest.raises(Unreadable) as refused:
        read_json("x.json", text if isinstance(text, bytes) else text.encode())
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("read", "text"), [(read_json, "[" * 100_000), (read_yaml, "[" * 5_000), (read_yaml, "a: " + "[" * 150 + "]" * 150)]
)
def test_nesting_without_end_is_refused(read, text):
    """A refusal, not a crash of the process."""
    with pytest.raises(Unreadable):
        read("x", text.encode())


def test_lines_are_known_for_keys_and_items():
    """Problems found later can still be shown where they are."""
    document = read_yaml("x.yaml", b"a: 1\nlist:\n  - x: 1\n  - x: 2\n    z: 3\n")
    places = [("a",), ("list",), ("list", 1), ("list", 1, "z"), ("list", 1, "w"), ("zzz",)]
    assert [document.line(place) for place in places] == [1, 2, 4, 5, 4, 1]
