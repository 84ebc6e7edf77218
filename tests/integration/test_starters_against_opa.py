"""Broken starters on broken inputs: what the gateway's OPA makes of them, stock OPA makes of them too.

The oracle for changes that nobody can foresee. A starter with a line taken out, or a comparison
turned round, may well admit what it should deny; but it must do so because the policy now says so,
not because the engine inside the gateway reads Rego differently from the one outside.
"""

from __future__ import annotations

import json
import random
import subprocess

import pytest
from opa_bindings import OpaEngine, OpaError

from policies.engines import ADMIT_MODULE
from policies.model import Outcome
from tests.servers.need import need
from tests.unit.starters.mutations import broken_texts, drawn
from tests.unit.starters.starters import FOLDERS, Evaluator, checked_starters, document_of, modules_of

SEED = 20261124
MUTANTS = 3
DOCUMENTS = 25
"""Of each mutant; in 15 starters these are 1,125."""

SUMMARY = """
package summary

found := {{"deny": [item | some item in data.{package}.deny], "hold": [item | some item in data.{package}.hold]}}
"""


@pytest.fixture(scope="module")
def starters():
    return {bundle.name: (bundle, cases) for bundle, cases in checked_starters()}


def outcomes_in_stock_opa(folder, package, modules, documents):
    """What `opa exec` says of each document, in order."""
    texts = {**modules, "admit.rego": ADMIT_MODULE, "summary.rego": SUMMARY.format(package=package)}
    for path, text in texts.items():
        file = folder / "bundle" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "input").mkdir()
    for number, document in enumerate(documents):
        (folder / "input" / f"{number:03}.json").write_text(json.dumps(document))
    command = [need("opa"), "exec", "--bundle", folder / "bundle", "--decision", "summary/found", folder / "input"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    results = sorted(json.loads(done.stdout)["result"], key=lambda each: each["path"])
    assert len(results) == len(documents)
    return [outcome_of(result["result"]) if "result" in result else Outcome.UNDECIDED for result in results]


def outcome_of(found):
    if found["deny"]:
        return Outcome.DENIED
    return Outcome.HELD if found["hold"] else Outcome.ADMITTED


def compiles(bundle, modules):
    engine = OpaEngine()
    try:
        evaluator = Evaluator(engine, modules)
        evaluator.engine.eval_query(f"found := data.{bundle.policies[0].id.package}.deny", {})
    except OpaError as problem:
        return problem.code not in ("parse_error", "prepare_error")
    finally:
        engine.close()
    return True


@pytest.mark.parametrize("name", [folder.name for folder in FOLDERS])
def test_a_broken_starter_admits_only_what_stock_opa_admits(name, starters, tmp_path):
    """Same mutant, same mutated document: never admitted here and denied there, nor the other way round."""
    bundle, cases = starters[name]
    policy, source = bundle.policies[0], random.Random(f"{SEED} {name}")
    texts = [modules for modules in broken_texts(modules_of(bundle), source, 3 * MUTANTS) if compiles(bundle, modules)][:MUTANTS]
    assert len(texts) == MUTANTS
    for number, modules in enumerate(texts):
        engine = OpaEngine()
        evaluator = Evaluator(engine, modules)
        judged = []
        for _ in range(DOCUMENTS):
            case = source.choice(cases)
            _, document = drawn(source, document_of(policy, case))
            judged.append(evaluator.judged(policy, document, case.related))
        engine.close()
        folder = tmp_path / str(number)
        expected = outcomes_in_stock_opa(folder, policy.id.package, modules, [document for document, _ in judged])
        for (document, found), oracle in zip(judged, expected, strict=True):
            # Stock OPA goes on where a builtin fails; the gateway does not, and is undecided.
            assert found in (oracle, Outcome.UNDECIDED), json.dumps(document)
