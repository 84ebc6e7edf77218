"""The engine in worker processes keeps its promises on the plain loop of a command, too."""

from __future__ import annotations

import pytest

from policies import loop
from policies.engines.opa_library import OpaLibrary
from policies.errors import EngineTimedOut
from tests.contract.engines.samples import a_bundle, an_evaluation
from tests.contract.engines.test_faults import FINE, LOOPS


def test_a_killed_evaluation_takes_no_other_with_it():
    """One is stopped at its deadline, and those behind it are answered by another worker."""

    async def exam():
        engine = OpaLibrary(workers=1, compile_deadline=600.0, patience=600.0)
        bundle = a_bundle({"loops.rego": LOOPS, "fine.rego": FINE})
        fine = engine.evaluate(an_evaluation(bundle, "fine", deadline=600.0))
        before = await fine

        async def stopped():
            with pytest.raises(EngineTimedOut):
                await engine.evaluate(an_evaluation(bundle, "loops", deadline=0.3))
            return before

        others = (engine.evaluate(an_evaluation(bundle, "fine", deadline=600.0)) for _ in range(5))
        answers = await loop.together(stopped(), *others)
        await engine.close()
        assert answers == [before] * 6

    loop.run(exam())
