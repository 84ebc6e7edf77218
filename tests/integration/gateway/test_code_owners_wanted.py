"""Code owners are read for every policy that may look at them, by whatever way: what was not read would stop nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.operations.code_owners import Wanted
from policies import Outcome
from policies.engines.opa_library import OpaLibrary
from providers.vcs.memory import MemoryForge
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder
from tests.integration.gateway.sides import Side

NAME = 'concat("_", ["code", "owners"])'
WAYS = {
    "a computed name": f"found := input[name].paths if name := {NAME}",
    "a name out of the change": 'found := input[name].paths if name := replace(input.change.title, " ", "_")',
    "any part": f"found := part.paths if {{\n\tsome name, part in input\n\tname == {NAME}\n}}",
    "a walk": f"found := value if {{\n\twalk(input, [[name, \"paths\"], value])\n\tname == {NAME}\n}}",
    "a default": f'found := object.get(input, {NAME}, {{"paths": []}}).paths',
    "a path in a list": f'found := object.get(input, [{NAME}, "paths"], [])',
    "a function": f"found := paths(input)\n\npaths(document) := document[{NAME}].paths",
    "all of it as text": f'found := json.unmarshal(json.marshal(input))[{NAME}].paths',
}  # fmt: skip
NOTHING = "package merge.label\n\ndeny contains 1 if false\n"
MANIFEST = "name: own\npolicies:\n  - {package: merge.own, match: {action: merge}}\n"


def a_policy(package, way):
    """It denies where somebody looks after a changed file."""
    return f'package {package}\n\ndeny contains "owned" if count(found) > 0\n\n{way}\n'


@asynccontextmanager
async def judging(tmp_path, rego):
    """A side that judges by this policy, and the forge with a change whose one file has an owner."""
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_repository(REPOSITORY, {".github/CODEOWNERS": "* @cleo\n"})
    engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
    try:
        side = Side(forge, engine, skipping=True)
        await side.use([a_bundle_folder(tmp_path, rego)])
        yield side, forge, forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana", title="code owners")
    finally:
        await engine.close()
        await forge.close()


def test_every_way_to_them_has_them_read(tmp_path):
    """No policy here says their name: each of them, in force or a repository's own, denies as it would if it did."""

    async def story():
        async with judging(tmp_path, NOTHING) as (side, forge, key):
            assert (await side.judge("work", key)).outcome is Outcome.ADMITTED
            for number, way in enumerate(WAYS.values()):
                forge.push(REPOSITORY, "main", {".admit/bundle.yaml": MANIFEST, ".admit/own.rego": a_policy("merge.own", way)})
                by_own = await side.judge("work", key)
                assert [violation.message for violation in by_own.verdict.violations] == ["owned"], (way, by_own.verdict)
                forge.push(REPOSITORY, "main", {".admit/bundle.yaml": None, ".admit/own.rego": None})
                await side.use([a_bundle_folder(tmp_path / str(number), a_policy("merge.label", way))])
                assert [found.message for found in (await side.judge("work", key)).verdict.violations] == ["owned"], way
                await side.use([a_bundle_folder(tmp_path, NOTHING)])
                assert (await side.judge("work", key)).outcome is Outcome.ADMITTED

    asyncio.run(story())


def test_who_cannot_be_followed_may_look_at_them(tmp_path):
    """A repository's own policies that do not load have them read; where nobody may look, the forge is not asked."""

    async def story():
        async with judging(tmp_path, 'package merge.label\n\ndeny contains "draft" if input.change.draft\n') as (side, forge, key):
            wanted = side.judge.gather.code_owners.wanted
            assert not (await wanted({}, fair_share=REPOSITORY)).yes
            assert (await wanted({"bundle.yaml": MANIFEST.encode(), "own.rego": b"package merge.own\n\ndeny {"}, fair_share="")).yes
            forge.weather.refusing("read_first")
            assert (await side.judge("work", key)).outcome is Outcome.ADMITTED

    asyncio.run(story())


@pytest.mark.parametrize(
    ("wanted", "outdated"),
    [
        (Wanted(yes=True, generation=1), False),
        (Wanted(yes=False, generation=1), True),
        (Wanted(yes=False, generation=2), False),
        (Wanted(yes=False), True),
    ],
    ids=["they were read", "others were asked", "the same were asked", "nobody could be asked"],
)
def test_who_judges_was_asked(wanted, outdated):
    """Facts that were not read for those who judge by generation 2 are no facts for them."""
    assert wanted.outdated(2) is outdated
