"""A repository's own `.admit/`: it may add to what its organisation says, and can do nothing else."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config import RelationsFile
from gateway.domain.record import verdict_document
from policies import Outcome, Reason
from providers.vcs import ChangeKey
from providers.vcs.memory import MemoryForge
from tests.e2e.process import admit
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder, a_house

OWN = 'package own.title\n\ndeny contains "no full stop" if endswith(input.change.title, ".")\n'
MANIFEST = "name: own\npolicies:\n  - package: own.title\n    match: {action: merge}\n"
OWN_FILES = {".admit/bundle.yaml": MANIFEST, ".admit/title.rego": OWN}
OWN_NAME = "repository:work/"
STORE = """model: |
  model
    schema 1.1
  type user
  type repository
    relations
      define owner: [user]
tuples: []
"""
LOOPING = """package own.title

deny contains "found" if {
	many := numbers.range(1, 3000)
	some a in many
	some b in many
	some c in many
	a * b * c == -1
}
"""


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def a_forge(files):
    """One whose repository has these files on main."""
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_repository(REPOSITORY, {"README.md": "# shop\n", **files})
    forge.outbox()
    return forge


async def judged(house, *, head="work", title="A change", labels=("bug",), files=None):
    """The first decision on a new change."""
    key = house.forge.open_change(REPOSITORY, head=head, title=title, labels=list(labels), files=files or {"a": head})
    await house.deliver()
    return await house.decided(key, lambda d: True)


async def pushed(house):
    """Deliver only that branches have moved: what the forge says of the changes themselves is lost."""
    for delivery in house.forge.outbox():
        if b"branch" in delivery.body and b"change." not in delivery.body:
            await house.client.post("/webhooks/work", content=delivery.body, headers=delivery.headers)


def replays(folder):
    """Every decision the gateway left behind comes to the same verdict."""
    (folder / "admit.yaml").write_text("database: sqlite:///admit.db\n")
    done = admit("replay", "--all", cwd=folder)
    return done.returncode == 0 and "0 different, 0 that cannot be" in done.stdout


def test_own_policies_add_to_what_the_organisation_says(tmp_path):
    """Both deny what each denies; what judged is recorded with the commit it was read at, and replays."""

    async def story():
        async with a_house(tmp_path, forge=a_forge(OWN_FILES)) as house:
            tip = house.forge.world.repository(REPOSITORY).branches["main"]
            good = await judged(house, head="good")
            assert good.outcome is Outcome.ADMITTED
            assert good.policies_commit == tip
            bundle = good.bundles[-1]
            assert bundle.name.startswith(OWN_NAME)
            assert bundle.revision == tip[:12]
            bad = await judged(house, head="bad", title="A change.")
            assert [str(v.policy) for v in bad.verdict.violations] == [f"{bundle.name}/own.title"]
            both = await judged(house, head="both", title="A change.", labels=())
            assert [v.message for v in both.verdict.violations] == ["no label", "no full stop"]
            dry = await house.client.post("/v1/admissions", params={"dry_run": True}, json={"change": {"url": bad.change.url}})
            assert dry.json()["outcome"] == "denied"

    run(story())
    assert replays(tmp_path)


def test_without_a_folder_nothing_is_added(tmp_path):
    """Most repositories have none."""

    async def story():
        async with a_house(tmp_path) as house:
            decision = await judged(house)
            assert decision.policies_commit is None
            assert [bundle.name for bundle in decision.bundles] == ["acme"]

    run(story())


def test_what_matches_nothing_adds_nothing(tmp_path):
    """An own policy for another branch is no reason to be undecided."""
    manifest = MANIFEST.replace("{action: merge}", '{action: merge, branches: ["release/*"]}')

    async def story():
        async with a_house(tmp_path, forge=a_forge({**OWN_FILES, ".admit/bundle.yaml": manifest})) as house:
            decision = await judged(house, title="A change.")
            assert decision.outcome is Outcome.ADMITTED
            assert [str(result.policy) for result in decision.verdict.policies] == ["acme/merge.label"]

    run(story())


def bundle_with(package, rego, **more):
    """Own files of one policy in that package."""
    manifest = MANIFEST.replace("own.title", package)
    return {".admit/bundle.yaml": manifest, ".admit/title.rego": rego, **{f".admit/{path}": text for path, text in more.items()}}


ATTACKS = {
    "a-module-in-the-organisations-package": bundle_with(
        "merge.label", 'package merge.label\n\ndeny contains "never" if false\n\nwarn contains "mine" if true\n'
    ),
    "a-data-key": bundle_with(
        "own.title", OWN, **{"data.json": '{"merge": {"other": {"deny": []}}, "acme": {"labels": ["bug"]}, "allowed": true}'}
    ),
    "data-where-the-organisations-rule-is": bundle_with("own.title", OWN, **{"data.json": '{"merge": {"label": {"deny": []}}}'}),
    "package-admit": {
        **OWN_FILES,
        ".admit/admit_too.rego": "package admit\n\nrelated(u, r, o) := true if input.version == 1\n",
    },
    "package-system": {**OWN_FILES, ".admit/system.rego": "package system.eval\n\nmain := true\n"},
    "the-name-of-the-organisations-bundle": {**OWN_FILES, ".admit/bundle.yaml": MANIFEST.replace("name: own", "name: acme")},
    "a-fault": bundle_with("own.title", 'package own.title\n\ndeny contains "x" if to_number("y") > 0\n'),
    "a-loop": bundle_with("own.title", LOOPING),
    "not-a-bundle": {".admit/bundle.yaml": "[", ".admit/x.rego": "}"},
    "too-many-questions": bundle_with(
        "own.title",
        'package own.title\n\nquestions contains {"user": sprintf("user:work/%d", [n]), "relation": "owner", '
        '"object": input.change.repository.ref} if some n in numbers.range(1, 501)\n\ndeny contains "x" if false\n',
    ),
    "a-question-nobody-can-answer": bundle_with(
        "own.title",
        'package own.title\n\nquestions contains {"user": "user:work/1", "relation": "nonsense", '
        '"object": input.change.repository.ref}\n\ndeny contains "x" if false\n',
    ),
}
ASKING = """package merge.label

import data.admit

questions contains admit.question(input.subject.ref, "owner", input.change.repository.ref)

deny contains "no label" if count(input.change.labels) == 0

warn contains "not an owner" if not admit.related(input.subject.ref, "owner", input.change.repository.ref)
"""


def of_the_organisation(decision):
    """What its policies found, as written down."""
    document = verdict_document(decision.verdict)

    def theirs(item):
        policy = item.get("policy") or item
        return policy is not None and policy.get("bundle") == "acme"

    return {
        key: [item for item in document[key] if theirs(item)] for key in ("violations", "holds", "warnings", "dryrun", "policies", "faults")
    }


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_a_repository_does_touches_the_organisations_verdict(tmp_path, attack):
    """For a change that is denied and for one that is not, what the organisation's policies say is the same to the letter,
    and the outcome is never better than without the repository's."""
    store = tmp_path / "people.yaml"
    store.write_text(STORE)
    bundle = a_bundle_folder(tmp_path, ASKING)

    async def verdicts(folder, files):
        folder.mkdir()
        settings = {"bundle": bundle, "relations": RelationsFile(file=store), "engine": {"evaluation_deadline": 3.0}}
        async with a_house(folder, forge=a_forge(files), **settings) as house:
            return await judged(house, head="bare", labels=()), await judged(house, head="labelled")

    async def story():
        denied, admitted = await verdicts(tmp_path / "without", {})
        assert (denied.outcome, admitted.outcome) == (Outcome.DENIED, Outcome.ADMITTED)
        denied_too, not_better = await verdicts(tmp_path / "with", ATTACKS[attack])
        assert of_the_organisation(denied_too) == of_the_organisation(denied)
        assert of_the_organisation(not_better) == of_the_organisation(admitted)
        assert denied_too.outcome is Outcome.DENIED
        return not_better

    decision = run(story())
    harmless = {"a-module-in-the-organisations-package", "a-data-key", "data-where-the-organisations-rule-is"}
    expected = Outcome.ADMITTED if attack in harmless | {"the-name-of-the-organisations-bundle"} else Outcome.UNDECIDED
    assert decision.outcome is expected, decision.verdict.reason


@pytest.mark.parametrize(
    ("object", "outcome"),
    [
        ("input.change.repository.ref", Outcome.ADMITTED),
        ('"repository:work/999"', Outcome.UNDECIDED),
        ('"team:acme/payroll"', Outcome.UNDECIDED),
    ],
    ids=["itself", "another-repository", "a-team"],
)
def test_own_policies_ask_about_their_own_repository_only(tmp_path, object, outcome):
    """A question about anything else is a fault, and is never put to anybody."""
    asking = f'package own.title\n\nimport data.admit\n\nquestions contains admit.question(input.subject.ref, "owner", {object})\n\n'
    asking += f'deny contains "an owner" if admit.related(input.subject.ref, "owner", {object})\n'
    store = tmp_path / "people.yaml"
    store.write_text(STORE)

    async def story():
        async with a_house(tmp_path, forge=a_forge(bundle_with("own.title", asking)), relations=RelationsFile(file=store)) as house:
            decision = await judged(house)
            assert decision.outcome is outcome, decision.verdict.reason
            if outcome is Outcome.UNDECIDED:
                assert decision.verdict.faults[0].reason is Reason.RELATIONS_REFUSED
                assert decision.relations == ()
            else:
                assert [related for _, related in decision.relations] == [False]

    run(story())
    assert replays(tmp_path)


@pytest.mark.parametrize(
    "rule",
    [
        'hold contains {"msg": "wait", "relation": "member", "object": "team:acme/payroll"}',
        'deny contains {"msg": "no", "who": {"relation": "member", "object": "team:acme/payroll"}} if endswith(input.change.title, ".")',
    ],
    ids=["a-hold", "who-could-help"],
)
def test_own_policies_name_nobody_elses_relations(tmp_path, rule):
    """Whom a hold waits for would be asked later, and shown: it is a fault, and the object is not recorded."""

    async def story():
        async with a_house(tmp_path, forge=a_forge(bundle_with("own.title", f"package own.title\n\n{rule}\n"))) as house:
            decision = await judged(house, title="A change.")
            assert decision.outcome in (Outcome.UNDECIDED, Outcome.DENIED)
            assert [fault.reason for fault in decision.verdict.faults] == [Reason.RELATIONS_REFUSED]
            assert "payroll" not in str(verdict_document(decision.verdict))

    run(story())
    assert replays(tmp_path)


def test_broken_own_policies_leave_their_repair_possible(tmp_path):
    """Undecided, but for a change that touches nothing else; and that one has to load."""
    broken = {**OWN_FILES, ".admit/title.rego": OWN.replace("endswith(", "endwith(")}

    async def story():
        async with a_house(tmp_path, forge=a_forge(broken)) as house:
            undecided = await judged(house, head="other")
            assert undecided.outcome is Outcome.UNDECIDED
            assert undecided.verdict.faults[0].reason is Reason.BUNDLE_BROKEN
            assert ".admit/title.rego:3" in undecided.verdict.reason
            more = await judged(house, head="more", files={".admit/title.rego": OWN, "a": "1"})
            assert more.outcome is Outcome.UNDECIDED
            worse = await judged(house, head="worse", files={".admit/title.rego": "package"})
            assert worse.outcome is Outcome.DENIED
            repair = await judged(house, head="repair", files={".admit/title.rego": OWN})
            assert repair.outcome is Outcome.ADMITTED, repair.verdict.reason
            unlabelled = await judged(house, head="unlabelled", files={".admit/title.rego": OWN}, labels=())
            assert unlabelled.outcome is Outcome.DENIED
            house.forge.merge_outside(key_of(repair), by="ana")
            await house.deliver()
            await house.decided(key_of(undecided), lambda d: d.outcome is Outcome.ADMITTED)

    run(story())
    assert replays(tmp_path)


def key_of(decision):
    """Which change it is about."""
    return ChangeKey(repository=decision.change.repository, number=decision.change.number)


def test_a_change_must_leave_the_folder_so_that_it_loads(tmp_path):
    """Denied with file and line where it does not; taken back, or removed whole, it is admitted."""

    async def story():
        async with a_house(tmp_path, forge=a_forge(OWN_FILES)) as house:
            typo = {".admit/title.rego": OWN.replace("change.title", "change.titel")}
            denied = await judged(house, head="typo", files=typo)
            assert denied.outcome is Outcome.DENIED
            (violation,) = denied.verdict.violations
            assert violation.message.startswith(".admit/ would not load: input.change.titel")
            assert violation.remedy == "did you mean title?"
            assert (violation.location.path, violation.location.line) == (".admit/title.rego", 3)
            assert [bundle.name.endswith("@head") for bundle in denied.bundles] == [False, False, True]
            house.forge.push(REPOSITORY, "typo", {".admit/title.rego": OWN + "# better\n"})
            await house.deliver()
            key = key_of(denied)
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            new = await judged(house, head="first", files=dict.fromkeys(OWN_FILES))
            assert new.outcome is Outcome.ADMITTED, new.verdict.reason

    run(story())
    assert replays(tmp_path)


def test_a_head_that_is_too_large_is_denied_without_keeping_it(tmp_path):
    """A contributor cannot fill the database, nor keep the engine busy; the denial replays all the same."""

    async def story():
        async with a_house(tmp_path, forge=a_forge(OWN_FILES)) as house:
            denied = await judged(house, head="large", files={".admit/more.rego": "# " + "x" * 2_000_000})
            assert denied.outcome is Outcome.DENIED
            assert "expected at most 200 files with 1,000,000 bytes, found 3 files with 2,0" in denied.verdict.reason

    run(story())
    assert (tmp_path / "admit.db").stat().st_size < 2_000_000
    assert replays(tmp_path)


def test_the_first_own_policies_are_checked_before_they_are_there(tmp_path):
    """A change that brings a folder which would not load is denied, though the target has none yet."""

    async def story():
        async with a_house(tmp_path) as house:
            denied = await judged(house, head="first", files={".admit/bundle.yaml": MANIFEST})
            assert denied.outcome is Outcome.DENIED
            assert "no file declares it" in denied.verdict.reason
            good = await judged(house, head="good", files=OWN_FILES)
            assert good.outcome is Outcome.ADMITTED

    run(story())
    assert replays(tmp_path)


def test_a_head_cannot_loosen_what_judges_it(tmp_path):
    """The target's tip judges, whatever the change makes of the folder."""

    async def story():
        async with a_house(tmp_path, forge=a_forge(OWN_FILES)) as house:
            removed = await judged(house, head="removed", title="A change.", files=dict.fromkeys(OWN_FILES))
            assert removed.outcome is Outcome.DENIED
            assert removed.verdict.reason == "no full stop"

    run(story())


def test_what_is_merged_into_the_folder_judges_the_open_changes(tmp_path):
    """A change that was admitted is denied by what another brought, without an event of its own."""

    async def story():
        async with a_house(tmp_path) as house:
            waiting = await judged(house, head="waiting", title="A change.")
            assert waiting.outcome is Outcome.ADMITTED
            bringing = await judged(house, head="bringing", files=OWN_FILES)
            house.forge.merge_outside(key_of(bringing), by="ana")
            await house.deliver()
            denied = await house.decided(key_of(waiting), lambda d: d.outcome is Outcome.DENIED)
            assert denied.verdict.reason == "no full stop"

    run(story())


def test_what_is_pushed_into_the_folder_judges_the_open_changes(tmp_path):
    """Brought, altered and taken away on main itself: each time those judged otherwise are judged again, and no others."""

    async def story():
        async with a_house(tmp_path) as house:
            waiting = key_of(await judged(house, head="waiting", title="A change."))
            house.forge.push(REPOSITORY, "release", {"a": "1"})
            elsewhere = house.forge.open_change(REPOSITORY, head="waiting", base="release", title="A change.", labels=["bug"])
            await house.deliver()
            await house.decided(elsewhere, lambda d: True)
            for files, outcome in (
                (OWN_FILES, Outcome.DENIED),
                ({".admit/title.rego": OWN.replace('"."', '"!"')}, Outcome.ADMITTED),
                ({".admit/title.rego": OWN}, Outcome.DENIED),
                (dict.fromkeys(OWN_FILES), Outcome.ADMITTED),
            ):
                house.forge.push(REPOSITORY, "main", files)
                await pushed(house)
                await house.decided(waiting, lambda d, outcome=outcome: d.outcome is outcome)
            before = len(await house.decisions(waiting))
            house.forge.push(REPOSITORY, "main", {"b": "2"})
            await pushed(house)
            await asyncio.sleep(1)
            assert len(await house.decisions(waiting)) == before
            assert {decision.outcome for decision in await house.decisions(elsewhere)} == {Outcome.ADMITTED}

    run(story())


def test_a_folder_that_cannot_be_read_is_undecided(tmp_path):
    """Not "none": what is unknown might deny."""

    async def story():
        async with a_house(tmp_path, forge=a_forge(OWN_FILES)) as house:
            house.forge.weather.refusing("read_folder")
            decision = await judged(house)
            assert decision.outcome is Outcome.UNDECIDED
            assert decision.verdict.faults[0].reason is Reason.FACTS_MISSING

    run(story())
