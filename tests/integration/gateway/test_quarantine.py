"""A bundle that keeps killing its workers: its policies are undecided, and somebody is told."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from policies import Outcome, Reason
from policies.engines.opa_library import OpaLibrary
from providers.vcs.memory import MemoryForge
from tests.contract.engines.test_faults import LOOP
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder
from tests.integration.gateway.sides import Side

LOOPS = f"package merge.label\n\ndeny contains 1 if {{ {LOOP} }}\n"


def test_a_bundle_in_quarantine_is_undecided_and_told_of(tmp_path):
    """The first judgement is stopped in time; from then on the bundle is not run, and every decision says so aloud."""

    async def story():
        forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
        forge.create_repository(REPOSITORY)
        engine = OpaLibrary(workers=1, compile_deadline=60.0, evaluation_deadline=0.3, quarantine_after=1)
        try:
            side = Side(forge, engine, skipping=False)
            await side.use([a_bundle_folder(tmp_path, LOOPS)])
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            first = await side.judge("work", key)
            with capture_logs() as logs:
                second = await side.judge("work", key)
        finally:
            await engine.close()
            await forge.close()
        return first, second, [entry for entry in logs if entry["log_level"] == "error"]

    first, second, alerts = asyncio.run(story())
    assert [fault.reason for fault in first.verdict.faults] == [Reason.POLICY_TIMED_OUT]
    assert second.outcome is Outcome.UNDECIDED
    assert [fault.reason for fault in second.verdict.faults] == [Reason.BUNDLE_QUARANTINED]
    assert [(alert["event"], alert["bundles"]) for alert in alerts] == [("bundle in quarantine", ["acme"])]
