"""Bundles that say another thing of facts nobody altered: an admission goes at once, and only whose outcome is another is read again."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.record import change_workflow_id
from gateway.durable import WorkflowStatus
from policies import Outcome
from providers.errors import TemporaryError
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder, a_house
from tests.integration.gateway.test_bundles import an_archive, put
from tests.integration.gateway.test_unnoticed import CountedForge, two_sides

LENIENT = 'package merge.label\n\nwarn contains "bare" if count(input.change.labels) == 0\n'
LABELS = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
NOTHING = frozenset()


def run(test):
    return asyncio.run(test)


def test_an_admission_goes_although_the_forge_is_away(tmp_path):
    """The stored facts are enough to take it away; that the forge cannot be asked is told afterwards."""

    async def story():
        async with two_sides([a_bundle_folder(tmp_path / "one", LENIENT)]) as (forge, side, _):
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            assert (await side.judge("work", key)).outcome is Outcome.ADMITTED
            await side.use([a_bundle_folder(tmp_path / "two", LABELS)])
            forge.weather.down()
            with pytest.raises(TemporaryError):
                await side.judge("work", key, touches=NOTHING)
            tracked = await side.storage.change("work", REPOSITORY, key.number)
            assert tracked.outcome is Outcome.DENIED
            decision = await side.storage.decision(tracked.decision_id)
            assert decision.verdict.reason == "no label"
            assert decision.generation == 2
            assert any(dispatch.workflow_type == "report_status" for dispatch in side.storage.dispatches[-3:])

    run(story())


def test_an_admission_is_not_given_by_facts_that_lie(tmp_path):
    """They may be old: what would be admitted now is read first."""

    async def story():
        async with two_sides([a_bundle_folder(tmp_path / "one", LABELS)]) as (forge, side, _):
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            assert (await side.judge("work", key)).outcome is Outcome.DENIED
            await side.use([a_bundle_folder(tmp_path / "two", LENIENT)])
            forge.weather.down()
            with pytest.raises(TemporaryError):
                await side.judge("work", key, touches=NOTHING)
            assert (await side.storage.change("work", REPOSITORY, key.number)).outcome is Outcome.DENIED
            forge.weather.clear()
            assert (await side.judge("work", key, touches=NOTHING)).outcome is Outcome.ADMITTED

    run(story())


def test_only_whose_outcome_is_another_is_read_again(tmp_path):
    """Of three admitted changes a published bundle denies one: that one is read, the others are decided by what is known of them."""

    async def story():
        forge = CountedForge(connection="work", webhook_secrets=(SECRET,))
        forge.create_repository(REPOSITORY)
        forge.outbox()
        async with a_house(tmp_path, bundle=a_bundle_folder(tmp_path, LENIENT), forge=forge, reconcile_seconds=3600.0) as house:
            sizes = {name: 2 if name == "large" else 1 for name in ("large", "small", "tiny")}
            keys = {
                name: forge.open_change(REPOSITORY, head=name, files={f"{name}{n}": "1" for n in range(size)})
                for name, size in sizes.items()
            }
            await house.deliver()
            for key in keys.values():
                await house.decided(key, lambda decision: decision.outcome is Outcome.ADMITTED)
            read = forge.read
            assert (await put(house, an_archive())).status_code == 201
            for name, key in keys.items():
                wanted = Outcome.DENIED if name == "large" else Outcome.ADMITTED
                decision = await house.decided(key, lambda decision: decision.generation == 2)
                assert decision.outcome is wanted
                assert [bundle.name for bundle in decision.bundles] == ["acme", "team"]
            await house.turned(forge.world.change(keys["large"]).head_sha, "failure")
            workflow = change_workflow_id("work", REPOSITORY, keys["large"].number)
            async with asyncio.timeout(PATIENCE):
                at_work = (WorkflowStatus.READY, WorkflowStatus.RUNNING)
                while forge.read == read or (await house.gateway.core.describe(workflow)).status in at_work:
                    await asyncio.sleep(0.02)
            assert forge.read == read + 1

    run(story())
