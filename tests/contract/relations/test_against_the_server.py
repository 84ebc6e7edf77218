"""The evaluator against a real OpenFGA: random models, tuples and questions, the same answers.

The normal run takes a fixed number of worlds from fixed seeds. ADMIT_FUZZ_SECONDS=3600 goes on from
there for as long; ADMIT_FUZZ_SEED starts elsewhere. A failure prints the seed, which is all it needs.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter

import pytest

from policies.relations.evaluator import Evaluator
from policies.relations.json_form import model_to_json
from policies.relations.soundness import HARMLESS, problems
from policies.relations.store_file import tuple_from_json
from tests.contract.relations.comparing import Agreement, compared, our_answer, their_answer
from tests.contract.relations.worlds import random_model, random_question, random_tuples
from tests.servers.openfga import session_openfga

WORLDS = 200
QUESTIONS = 30
TUPLES = 25
SECONDS = float(os.environ.get("ADMIT_FUZZ_SECONDS", "0"))
FIRST_SEED = int(os.environ.get("ADMIT_FUZZ_SEED", "1"))


def sound(model) -> bool:
    return not [problem for problem in problems(model) if problem.code not in HARMLESS]


def sound_worlds(count):
    """Worlds until this many and the time asked for are over, each with its seed."""
    end = time.monotonic() + SECONDS
    done = 0
    for seed in itertools.count(FIRST_SEED):
        if done >= count and time.monotonic() >= end:
            return
        chance = random.Random(seed)
        model = random_model(chance)
        if sound(model):
            done += 1
            yield seed, chance, model


@pytest.mark.timeout(max(180, SECONDS + 180))
def test_the_same_answers_as_the_server():
    """Checks and lists agree, but for the tolerated differences, which are rare."""
    openfga = session_openfga()
    found: Counter[Agreement] = Counter()
    for seed, chance, model in sound_worlds(WORLDS):
        store = openfga.store()
        if store.try_model(model_to_json(model)) is not None:
            continue  # see test_a_model_the_server_takes_is_sound
        tuples = random_tuples(chance, model, TUPLES)
        store.write(tuples)
        evaluator = Evaluator(model, [tuple_from_json(one) for one in tuples])
        for number in range(QUESTIONS):
            asked = random_question(chance, model)
            ours, theirs = our_answer(evaluator, asked), their_answer(store, asked)
            agreement = compared(evaluator, store, asked, ours, theirs)
            found[agreement] += 1
            assert agreement is not Agreement.DIFFERENT, f"seed {seed}, question {number}: {asked}\nours: {ours}\ntheirs: {theirs}"
    print("\n" + "\n".join(f"{count:7} {agreement}" for agreement, count in found.most_common()))
    assert found[Agreement.SAME] > 0.9 * found.total()


@pytest.mark.timeout(max(180, SECONDS + 180))
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
