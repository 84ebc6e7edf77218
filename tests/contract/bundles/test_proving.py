"""What a bundle that checks well is still refused for before it may come into force: its own cases, and a second opinion."""

from __future__ import annotations

import asyncio

import pytest

from policies.engines.opa_library import OpaLibrary
from policies.errors import BundleRefused
from policies.proving import proven_bundle
from tests.contract.bundles.bundles import a_bundle

CASES = """\
cases:
  - name: nothing is little enough
    input: {change: {files: []}}
    expect: admitted
  - name: everything is too much
    input: {change: {files: []}}
    expect: denied
    messages: [too many files]
  - name: asked of nobody
    store: people.yaml
    expect: admitted
"""
SAYS_NO = """#!/bin/sh
echo '{"errors": [{"message": "undefined ref: input.change.files", "location": {"file": "./size.rego", "row": 8}}]}' >&2
exit 1
"""


def refusal(changes, opa=None):
    """Every line of it but the first."""

    async def prove():
        engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
        try:
            await proven_bundle(a_bundle(changes), engine, opa=opa)
        finally:
            await engine.close()

    with pytest.raises(BundleRefused) as refused:
        asyncio.run(prove())
    return [line.removeprefix("  ") for line in str(refused.value).splitlines()[1:]]


def test_a_case_that_comes_out_otherwise_refuses_the_bundle():
    """With the case, its line, what it expects and what was found."""
    assert refusal({"size.case": CASES.rpartition("  - name: asked")[0]}) == [
        "size.case:5: case 'everything is too much' failed: outcome: expected denied, found admitted: 1 policy passed; run: admit test DIR",
        "size.case:5: case 'everything is too much' failed: message: expected too many files, found nothing; run: admit test DIR",
    ]


def test_a_case_that_cannot_be_read_refuses_the_bundle():
    """It would test nothing."""
    assert refusal({"size.case": CASES}) == [
        "size.case:9: case 'asked of nobody': store: expected a store file of the bundle, found no people.yaml; it is named from this file"
    ]


def test_a_name_that_opa_does_not_find_refuses_the_bundle(tmp_path):
    """Whatever our own check thought of it."""
    opa = tmp_path / "opa"
    opa.write_text(SAYS_NO)
    opa.chmod(0o755)
    assert refusal({}, opa) == [
        "size.rego:8: input.change.files: opa check --schema finds no such name in the input; look it up in input.schema.json"
    ]
