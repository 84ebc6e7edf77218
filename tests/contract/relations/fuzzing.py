"""Random worlds put to the evaluator and to a real OpenFGA, for a number of worlds and for as long as is wanted."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from policies.relations.evaluator import Evaluator
from policies.relations.json_form import model_to_json
from policies.relations.model import AuthorizationModel
from policies.relations.soundness import HARMLESS, problems
from policies.relations.store_file import tuple_from_json
from tests.contract.relations.comparing import Agreement, compared, our_answer, their_answer
from tests.contract.relations.worlds import random_model, random_question, random_tuples
from tests.servers.openfga import OpenFga

QUESTIONS = 30
TUPLES = 25


@dataclass(slots=True)
class Fuzzed:
    """What came of it. different: each disagreement, with the seed that is all it needs to be seen again."""

    agreements: Counter[Agreement] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)

    def told(self) -> str:
        return ", ".join(f"{count} × {agreement}" for agreement, count in self.agreements.most_common())


def sound(model: AuthorizationModel) -> bool:
    return not [problem for problem in problems(model) if problem.code not in HARMLESS]


def fuzzed(openfga: OpenFga, *, worlds: int, seconds: float, seed: int) -> Fuzzed:
    """Until both this many worlds and this time are over, or ten answers differ."""
    found = Fuzzed()
    for number, chance, model in _sound_worlds(worlds, seconds, seed):
        store = openfga.store()
        if store.try_model(model_to_json(model)) is not None:
            continue  # the server refuses a few sound models: see test_a_model_the_server_takes_is_sound
        tuples = random_tuples(chance, model, TUPLES)
        store.write(tuples)
        evaluator = Evaluator(model, [tuple_from_json(one) for one in tuples])
        for question in range(QUESTIONS):
            asked = random_question(chance, model)
            ours, theirs = our_answer(evaluator, asked), their_answer(store, asked)
            agreement = compared(evaluator, store, asked, ours, theirs)
            found.agreements[agreement] += 1
            if agreement is Agreement.DIFFERENT:
                found.different.append(f"seed {number}, question {question}: {asked}\nours: {ours}\ntheirs: {theirs}")
        if len(found.different) >= 10:
            break
    return found


def _sound_worlds(count: int, seconds: float, first: int) -> Iterator[tuple[int, random.Random, AuthorizationModel]]:
    end = time.monotonic() + seconds
    done = 0
    for seed in itertools.count(first):
        if done >= count and time.monotonic() >= end:
            return
        chance = random.Random(seed)
        model = random_model(chance)
        if sound(model):
            done += 1
            yield seed, chance, model
