"""Lines found again in the source, since OPA's syntax tree has none."""

from __future__ import annotations

import pytest
from opa_bindings import OpaEngine

from policies.bundles.syntax import Places, Ref, metadata_of, module_from_tree

SOURCE = """\
# METADATA
# title: Places
# description: |
#   of things
package merge.places

# not metadata
import input.change as c

default verdict := "no"

verdict := "yes" if input.change.draft # input.change.draft in a comment

# METADATA
# scope: rule
# title: A rule
deny contains msg if {
\tsome file in input.change.files
\tregex.match("^input.change.draft$", file.path)
\tmsg := $"{file.path} of {input.change.title} is {f({"a": input.change.draft})}"
}

deny contains `input.change.draft
and more` if {
\tinput["change"].draft
\tinput.change.files[_].path == input.change.files[0].path
\tx.input.change.draft == 1
}

  indented if input.change.draft

f(x) := x.a if x
else := 2 if input.change.draft
x := {"input": {"change": {"draft": 2}}}
"""


@pytest.fixture(scope="module")
def module():
    with OpaEngine() as engine:
        tree = engine.eval_query("tree := rego.parse_module(input.path, input.source)", {"path": "p.rego", "source": SOURCE})
    return module_from_tree("p.rego", SOURCE, tree[0]["tree"])


def test_rules_are_found_where_they_begin(module):
    """In order, defaults and indented ones too; an `else` belongs to its rule."""
    places = Places(module)
    assert [(rule.name, places.rule(rule)) for rule in module.rules] == [
        ("verdict", 10),
        ("verdict", 12),
        ("deny", 17),
        ("deny", 23),
        ("indented", 30),
        ("f", 32),
        ("x", 34),
    ]
    assert places.package() == 5


REFS = [
    (Ref(root="input", steps=("change", "draft")), None, (12, 20, 25, 30, 33)),
    (Ref(root="input", steps=("change", "draft")), 3, (25,)),
    (Ref(root="input", steps=("change", "draft")), 5, (33,)),
    (Ref(root="file", steps=("path",)), 2, (19, 20)),
    (Ref(root="input", steps=("change", "files", None, "path")), 3, (26,)),
    (Ref(root="input", steps=("change", "files", 0, "path")), 3, (26,)),
    (Ref(root="input", steps=("change", "nothing")), 3, (23,)),
]


@pytest.mark.parametrize(("ref", "rule", "lines"), REFS, ids=[f"{ref} in {rule}" for ref, rule, _ in REFS])
def test_references_are_found_in_code_alone(ref, rule, lines, module):
    """Not in comments and strings, but in what a template string reads; what is not found is where its rule begins."""
    assert Places(module).ref(ref, None if rule is None else module.rules[rule]) == lines


def test_metadata_is_read_with_its_lines(module):
    """Block by block, as YAML."""
    first, second = metadata_of(module)
    assert (first.row, first.end, first.text("title"), first.text("description")) == (1, 4, "Places", "of things")
    assert (second.row, second.end, second.text("scope"), second.text("title")) == (14, 16, "rule", "A rule")
