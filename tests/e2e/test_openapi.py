"""The API against its own description: it is whole, and whatever fits it, and much that does not, is answered without a 5xx."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.api.app import create_app
from gateway.api.rates import Limits
from tests.e2e.process import ADMIT, GatewayProcess, write_bundle

SCHEMATHESIS = ADMIT.with_name("schemathesis")
TOKEN = "a token of the tests, long enough to be one"
REGO = 'package merge.x\n\ndeny contains "no label" if count(input.change.labels) == 0\n'


def test_whatever_the_description_refers_to_is_in_it():
    """Generators of clients follow every `$ref`."""
    limits = {"version": "0", "tokens": None, "hosts": (), "limits": Limits(), "public_url": "http://127.0.0.1:8080"}
    document = create_app(SimpleNamespace(**limits)).openapi()
    referred = set(_references(document))
    assert len(referred) > 3
    assert [reference for reference in sorted(referred) if not _is_in(document, reference)] == []
    (submission,) = document["paths"]["/v1/submissions"]["post"]["requestBody"]["content"].values()
    assert submission["schema"]["properties"]["source"]["anyOf"][0]["required"] == ["repository", "ref", "sha"]


def _references(part):
    match part:
        case dict():
            yield from [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            for value in part.values():
                yield from _references(value)
        case list():
            for value in part:
                yield from _references(value)


def _is_in(document, reference):
    at = document
    for name in reference.removeprefix("#/").split("/"):
        at = at.get(name) if isinstance(at, dict) else None
    return at is not None


@pytest.mark.timeout(3600)  # it asks some 1,500 times
def test_nothing_that_is_asked_is_our_mistake(tmp_path: Path):
    """A bounded, repeatable run of schemathesis over every operation, by an administrator's token that cannot be revoked.

    Archives are left out: it has no way to make one.
    """
    manifest = "name: acme\npolicies:\n  - package: merge.x\n    match: {action: merge}\n"
    write_bundle(tmp_path / "bundle", {"bundle.yaml": manifest, "x.rego": REGO})
    settings = {"bundles": ["bundle"], "connections": [{"name": "work", "forge": "memory"}], "api_tokens": ["env:ADMIT_TOKEN"]}
    with GatewayProcess(tmp_path, environment={"ADMIT_TOKEN": TOKEN}, **settings) as gateway:
        gateway.token = TOKEN
        run = subprocess.run(
            [
                SCHEMATHESIS,
                "run",
                f"{gateway.url}/openapi.json",
                f"--header=Authorization: Bearer {TOKEN}",
                "--checks=not_a_server_error",
                "--phases=coverage,fuzzing",
                "--max-examples=5",
                "--generation-deterministic",
                "--exclude-name=PUT /v1/bundles/{name}",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=3500,
            check=False,
        )
        assert gateway.get("/v1/decisions").status_code == 200
        assert gateway.log_count('"request failed"') == 0
    counts = re.search(r"(\d+) generated, (\d+) passed", run.stdout)
    assert counts is not None, run.stdout[-3000:] + run.stderr[-1000:]
    assert int(counts[1]) > 500
    assert counts[1] == counts[2], run.stdout[-6000:]
