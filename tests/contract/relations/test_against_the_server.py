"""The evaluator against a real OpenFGA: random models, tuples and questions, the same answers.

The normal run takes a fixed number of worlds from fixed seeds. ADMIT_FUZZ_SECONDS=3600 goes on from
there for as long (`make test`: a minute); ADMIT_FUZZ_SEED starts elsewhere. A failure prints the seed, which is all it needs.
"""

from __future__ import annotations

import os
import random

import pytest

from policies.relations.json_form import model_to_json
from policies.relations.soundness import problems
from tests.contract.relations.comparing import Agreement
from tests.contract.relations.fuzzing import fuzzed, sound
from tests.contract.relations.worlds import random_model
from tests.servers.openfga import session_openfga

WORLDS = 200
SECONDS = float(os.environ.get("ADMIT_FUZZ_SECONDS") or "0")
FIRST_SEED = int(os.environ.get("ADMIT_FUZZ_SEED") or "1")


@pytest.mark.timeout(SECONDS + 900)
def test_the_same_answers_as_the_server():
    """Checks and lists agree, but for the tolerated differences, which are rare."""
    found = fuzzed(session_openfga(), worlds=WORLDS, seconds=SECONDS, seed=FIRST_SEED)
    print(f"\n{found.told()}")
    assert found.different == []
    assert found.agreements[Agreement.SAME] > 0.9 * found.agreements.total()


@pytest.mark.timeout(3600)
def test_a_model_the_server_takes_is_sound():
    """What the server stores is not refused here, and what is unsound here the server refuses.

    The other way round the server refuses a few models in which a relation can be had after all: its search
    for an entry point goes by the order in which user types are named.
    """
    openfga = session_openfga()
    store = openfga.store()
    refused = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 400):
        model = random_model(random.Random(seed))
        theirs = store.try_model(model_to_json(model))
        if sound(model):
            assert theirs is None or "entrypoints" in theirs.message or "potential loop" in theirs.message, f"seed {seed}: {theirs}"
        else:
            refused += 1
            assert theirs is not None, f"seed {seed}: {problems(model)}"
    assert refused
