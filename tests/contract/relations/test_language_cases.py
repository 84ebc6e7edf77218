"""The modelling language, judged by the cases of openfga/language.

They are not part of this repository: ADMIT_EXAM_DATA names the folder that holds `openfga-language`,
a copy of that project's `tests/data`. Without it these tests are skipped; the unit tests stay.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import pytest
import yaml

from policies.relations.dsl import parse_model, parse_module
from policies.relations.dsl_text import written
from policies.relations.json_form import model_from_json, model_to_json
from policies.relations.modules import combined, module_files
from policies.relations.refusals import ModelRefused
from policies.relations.soundness import problems

BY_SERVER_ONLY = {
    "union does not require all child to have entry",
    "union does not require all child to have entry even for intersection child",
    "union does not require all child to have entry even for exclusion child",
}
"""Cases the language's own tools skip: they would take the model, the server refuses it for its circle, and so do we."""


@pytest.fixture(scope="module")
def cases() -> Path:
    folder = os.environ.get("ADMIT_EXAM_DATA")
    if not folder:
        pytest.skip("ADMIT_EXAM_DATA is not set: the cases of openfga/language are not here")
    found = Path(folder) / "openfga-language"
    assert found.is_dir(), f"ADMIT_EXAM_DATA names {folder}, which has no openfga-language"
    return found


@functools.cache
def loaded(path: Path):
    return yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def expected_places(case) -> list[tuple[int, int]]:
    """Line and column, from 1, of each error a case expects."""
    return [(one["line"]["start"] + 1, one["column"]["start"] + 1) for one in case.get("expected_errors") or ()]


def found_places(read) -> list[tuple[int, int]]:
    """Line and column of every problem, in the order they are reported."""
    try:
        found = read()
    except ModelRefused as refusal:
        found = refusal.problems
    assert all(one.at for one in found)
    return [(one.at.line, one.at.column) for one in found]


def test_every_dsl_and_json_pair_is_one_model(cases):
    """Both forms of all 29 models read as the same model, and each is written so that it reads back."""
    pairs = sorted((cases / "transformer").glob("*/authorization-model.fga"))
    assert len(pairs) >= 29
    for path in pairs:
        model = parse_model(path.read_text())
        document = json.loads(path.with_suffix(".json").read_text())
        assert model_from_json(document) == model, path.parent.name
        assert model_from_json(model_to_json(model)) == model, path.parent.name
        assert parse_model(written(model)) == model, path.parent.name


def test_syntax_errors_are_refused_at_their_place(cases):
    """All 81: what is not the language is refused at the first error's line and column, what is, is read."""
    found = loaded(cases / "dsl-syntax-validation-cases.yaml")
    assert len(found) >= 81
    for case in found:
        read = parse_module if case["dsl"].startswith("module") else lambda text, _: parse_model(text)
        places = found_places(lambda case=case, read=read: (read(case["dsl"], "m.fga"), [])[1])
        assert places[:1] == expected_places(case)[:1], case["name"]


def test_semantic_errors_are_all_found_at_their_places(cases):
    """All 91: every problem is reported where it is, and nothing else; but for the skipped ones the server refuses anyway."""
    found = loaded(cases / "dsl-semantic-validation-cases.yaml")
    assert len(found) >= 91
    for case in found:
        places = found_places(lambda case=case: problems(parse_model(case["dsl"])))
        if case.get("skip") and case["name"] in BY_SERVER_ONLY:
            assert places, case["name"]
        else:
            assert sorted(set(places)) == sorted(set(expected_places(case))), case["name"]


def test_modules_are_combined_or_refused_at_their_places(cases):
    """The files of a modular model make the model its JSON says, or every problem is found in its file, line and column."""
    folders = [folder for folder in sorted((cases / "transformer-module").iterdir()) if (folder / "module").is_dir()]
    assert len(folders) >= 6
    for folder in folders:
        files = {path.name: path.read_text() for path in sorted((folder / "module").iterdir())}
        try:
            model = combined(files)
            found = problems(model)
        except ModelRefused as refusal:
            found = refusal.problems
        errors = json.loads((folder / "expected_errors.json").read_text()) if (folder / "expected_errors.json").exists() else []
        expected = {(one["file"], one["line"]["start"] + 1, one["column"]["start"] + 1) for one in errors}
        assert {(one.at.file, one.at.line, one.at.column) for one in found if one.at} == expected, folder.name
        if not errors:
            assert model == model_from_json(json.loads((folder / "authorization-model.json").read_text())), folder.name


def test_fga_mod_names_its_files_or_is_refused_by_line(cases):
    """What fga.mod may say is read, and each wrong entry is found on its line."""
    for case in loaded(cases / "fga-mod-transformer-cases.yaml"):
        content = case["modFile"].encode()
        expected = [line for line, _ in expected_places(case)]
        if expected:
            lines = [line for line, _ in found_places(lambda content=content: (module_files(content), [])[1])]
            assert lines == expected, case["name"]
        else:
            contents = json.loads(case["json"])["contents"]["value"]
            assert list(module_files(content)) == [one["value"] for one in contents], case["name"]


def test_what_json_says_is_written_where_the_dsl_has_words_for_it(cases):
    """Nested operators get parentheses and read back; users named where the DSL cannot name them are refused."""
    for case in loaded(cases / "json-syntax-transformer-validation-cases.yaml"):
        model = model_from_json(json.loads(case["json"]))
        if case.get("valid", True):
            again = parse_model(written(model))
            assert written(again) == written(model), case["name"]
        else:
            with pytest.raises(ModelRefused, match="the DSL names users only"):
                written(model)
