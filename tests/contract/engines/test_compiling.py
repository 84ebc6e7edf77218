"""Reading and compiling: OPA's own trees, and every problem with its file and line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from policies.engines.opa_library import OpaLibrary
from policies.engines.opa_server import OpaServer
from policies.errors import BundleRefused, EngineTimedOut, EngineUnavailable, Problem
from tests.contract.engines.samples import a_bundle, an_evaluation

BROKEN = {
    "package p\n\ndeny contains x if {\n\tx := := 1\n}\n": (4, "unexpected assign token"),
    "package p\n\ndeny contains nosuch(1)\n": (3, "nosuch"),
    "package p\n\ndeny contains x if input.a\n": (3, "var x is unsafe"),
    "package p\n\ndeny[x] {\n\tx := 1\n}\n": (3, "`if` keyword is required"),
    "package p\n\na if not a\n": (3, "recursi"),
    "package p\n\na := count(1)\n": (3, "count"),
    "": (None, "empty module"),
}


@pytest.mark.parametrize("source", BROKEN)
def test_what_does_not_compile_is_refused_with_its_line(engine, run, source):
    """The message is OPA's, the place is the author's file."""
    line, words = BROKEN[source]
    with pytest.raises(BundleRefused) as refused:
        run(engine.compile(a_bundle({"dir/a file.rego": source, "fine.rego": "package fine\n"})))
    problem = refused.value.problems[0]
    assert (problem.path, problem.line) == ("dir/a file.rego", line)
    assert words in problem.message


def test_evaluating_a_broken_bundle_refuses_it(engine, run):
    """Nothing is evaluated of it."""
    with pytest.raises(BundleRefused):
        run(engine.evaluate(an_evaluation(a_bundle("package p\n\nx := nosuch(1)\n"), "p")))


def test_a_refused_bundle_is_refused_again(engine, run):
    """The second time as the first."""
    bundle = a_bundle("package p\n\nx := nosuch(2)\n")
    for _ in range(2):
        with pytest.raises(BundleRefused):
            run(engine.compile(bundle))


def test_trees_are_opas_own(engine, run):
    """`rego.parse_module`'s JSON, with comments."""
    tree = run(engine.parse({"a/b.rego": "# METADATA\n# title: T\npackage a.b\n\ndeny contains 1 if input.x\n"}))["a/b.rego"]
    assert [part["value"] for part in tree["package"]["path"]] == ["data", "a", "b"]
    assert tree["rules"][0]["head"]["ref"] == [{"type": "var", "value": "deny"}]
    assert [comment["Location"]["row"] for comment in tree["comments"]] == [1, 2]


def test_one_module_that_does_not_parse_does_not_hide_the_others(engine, run):
    """A problem with its line stands in the tree's place."""
    trees = run(
        engine.parse({"good.rego": "package a\n", "bad.rego": "package b\n\nx := := 1\n", "ugly.rego": 'package c\n\nx := "\\u0000 ü"\n'})
    )
    assert isinstance(trees["bad.rego"], Problem)
    assert (trees["bad.rego"].path, trees["bad.rego"].line) == ("bad.rego", 3)
    assert trees["good.rego"]["package"]["path"][1]["value"] == "a"
    assert trees["ugly.rego"]["rules"][0]["head"]["value"]["value"] == "\0 ü"


def test_no_modules_have_no_trees(engine, run):
    """Nothing asked, nothing answered."""
    assert run(engine.parse({})) == {}


@pytest.mark.parametrize(
    "value", [date(2026, 1, 1), float("nan"), "\ud800", {1, 2}], ids=["a date", "not a number", "half a character", "a set"]
)
def test_data_that_json_has_no_form_for_is_refused(engine, run, value):
    """YAML can hold more than an engine can be given."""
    bundle = replace(a_bundle("package p\n", name="odd"), data={"deep": [value]}, digest=f"sha256:{type(value).__name__}")
    with pytest.raises(BundleRefused, match="data is not JSON"):
        run(engine.compile(bundle))


def test_compiling_has_a_deadline_of_its_own(make_engine, run):
    """A bundle that takes too long to compile is stopped, though evaluating might have been quick."""
    engine = make_engine(compile_deadline=0.001, evaluation_deadline=60.0)
    modules = {f"m{n}.rego": f"package m{n}\n\n" + "".join(f"r{k} if input.a == {k}\n" for k in range(300)) for n in range(40)}
    with pytest.raises(EngineTimedOut):
        run(engine.compile(a_bundle(modules)))


def test_an_engine_that_is_not_installed_says_how_to_get_it(run, monkeypatch, tmp_path):
    """The advice is a command to type."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    library = OpaLibrary()
    with pytest.raises(EngineUnavailable):
        _ = library.info
    with pytest.raises(EngineUnavailable) as missing:
        run(library.parse({"a.rego": "package a\n"}))
    run(library.close())
    assert "pip install --ignore-requires-python --no-deps opa-golib-python-bindings==" in missing.value.advice
    server = OpaServer(binary=tmp_path / "opa")
    with pytest.raises(EngineUnavailable) as missing:
        run(server.parse({"a.rego": "package a\n"}))
    run(server.close())
    assert "install opa" in missing.value.advice


def test_the_engine_says_who_it_is(engine):
    """Name and OPA's version, as recorded in decisions."""
    assert engine.info.name in {"opa-library", "opa-server"}
    assert engine.info.version == "1.20.2"
