"""OPA's error texts become problems with file and line."""

from __future__ import annotations

import pytest

from policies.engines.messages import located, problems_in

TEXTS = {
    "one error": (
        "1 error occurred: b.rego:2: rego_type_error: undefined function nosuch",
        [("b.rego", 2, "undefined function nosuch (rego_type_error)")],
    ),
    "with the source quoted": (
        "1 error occurred: b.rego:3: rego_parse_error: unexpected eof token\n\tx := 1 +\n\t       ^",
        [("b.rego", 3, "unexpected eof token (rego_parse_error)")],
    ),
    "several": (
        "2 errors occurred:\na/b c.rego:2: rego_parse_error: x\nd.rego:5: rego_parse_error: y",
        [("a/b c.rego", 2, "x (rego_parse_error)"), ("d.rego", 5, "y (rego_parse_error)")],
    ),
    "the same twice": ("2 errors occurred:\na.rego:2: e: x\na.rego:2: e: x", [("a.rego", 2, "x (e)")]),
    "without a line": ("b.rego:0: rego_parse_error: empty module", [("b.rego", None, "empty module (rego_parse_error)")]),
    "from the library": (
        "bundle activation failed: 1 error occurred: b.rego:4: rego_unsafe_var_error: var z is unsafe",
        [("b.rego", 4, "var z is unsafe (rego_unsafe_var_error)")],
    ),
    "no place at all": ("something else went wrong", [(None, None, "something else went wrong")]),
    "nothing": ("", [(None, None, "OPA gave no reason")]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts_become_problems(case):
    """Each error once, in order."""
    text, expected = TEXTS[case]
    assert [(problem.path, problem.line, problem.message) for problem in problems_in(text)] == expected


def test_common_errors_come_with_advice():
    """What to do, for those an author meets every week."""
    (problem,) = problems_in("a.rego:4: rego_unsafe_var_error: var z is unsafe")
    assert problem.advice is not None
    (problem,) = problems_in("a.rego:4: rego_parse_error: `if` keyword is required before rule body")
    assert "opa fmt" in problem.advice


def test_an_error_of_the_server_reads_like_the_librarys():
    """Same words from both adapters."""
    error = {"code": "eval_builtin_error", "message": "to_number: x", "location": {"file": "a.rego", "row": 6, "col": 1}}
    assert located(error) == "a.rego:6: eval_builtin_error: to_number: x"
    assert located({"message": "x"}) == "error: x"
