"""Relations the gateway keeps itself: written, asked and proven over HTTP, and open changes judged again when answers move."""

from __future__ import annotations

from pathlib import Path

import pytest

import policies
from gateway.domain.access import Scope
from policies import Outcome
from tests.integration.gateway.house import REPOSITORY, a_house

pytestmark = pytest.mark.anyio

OWNER_APPROVAL = Path(policies.__file__).parent / "starters" / "owner-approval"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def house(tmp_path):
    async with a_house(tmp_path, bundle=OWNER_APPROVAL) as house:
        yield house


def one(user, relation, object, **fields):
    return {"user": user, "relation": relation, "object": object, **fields}


async def write(house, *writes, deletes=()):
    answer = await house.client.post("/v1/relations/tuples", json={"writes": list(writes), "deletes": list(deletes)})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(house, path, **question):
    answer = await house.client.post(f"/v1/relations/{path}", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(house, path, **question):
    answer = await house.client.post(f"/v1/relations/{path}", json=question)
    assert answer.status_code == 422, answer.text
    return answer.json()["detail"]


async def test_change_follows_its_reviewers_relations(house):
    """Denied while nobody owns it, admitted once the reviewer does, denied again when that is taken back; nobody asked for it."""
    ben = house.forge.account("ben").ref
    repository = f"repository:work/{house.forge.world.repository(REPOSITORY).id}"
    key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
    house.forge.approve(key, by="ben")
    await house.deliver()
    denied = await house.decided(key, lambda d: bool(d.relations))
    assert denied.outcome is Outcome.DENIED
    assert denied.relations_model.startswith("starter@")
    team = [one(ben, "member", "team:core"), one("team:core#member", "owner", repository)]
    assert await write(house, *team) == {"written": 2, "deleted": 0, "unchanged": 0}
    admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
    assert [(asked.user, related) for asked, related in admitted.relations] == [(ben, True)]
    await house.turned(admitted.change.head_sha, "success")
    await write(house, deletes=team[:1])
    await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
    await house.turned(admitted.change.head_sha, "failure")
    told = (await house.client.get("/v1/audit?about=relations")).json()["events"]
    events = [event for event in told if event["who"] == "admit.yaml:0"]
    assert [event["what"] for event in events] == ["relations.tuples", "relations.tuples"]
    assert events[0]["details"]["tuples"] == [f"- team:core#member@{ben}"]


async def test_check_tells_the_path(house):
    """One human with accounts on two forges; the proof leads from the object to the account."""
    await write(
        house,
        one("user:work/7", "account", "person:ana"),
        one("person:ana#account", "member", "team:core"),
        one("team:core#member", "owner", "repository:lab/1"),
    )
    found = await ask(house, "check", user="user:work/7", relation="writer", object="repository:lab/1")
    assert found["allowed"] is True
    assert found["path"] == [
        "being maintainer of repository:lab/1 is enough",
        "being owner of repository:lab/1 is enough",
        "team:core#member is owner of repository:lab/1, and member of team:core counts",
        "person:ana#account is member of team:core, and account of person:ana counts",
        "user:work/7 is account of person:ana",
    ]
    nothing = await ask(house, "check", user="user:work/8", relation="writer", object="repository:lab/1")
    assert (nothing["allowed"], nothing["path"]) == (False, [])
    with_it = [one("user:work/8", "reader", "repository:lab/1")]
    assert (await ask(house, "check", user="user:work/8", relation="reader", object="repository:lab/1", contextual_tuples=with_it))[
        "allowed"
    ]
    objects = await ask(house, "list-objects", user="user:work/7", relation="owner", type="repository")
    assert objects == {"objects": ["repository:lab/1"], "complete": True}
    users = await ask(house, "list-users", object="repository:lab/1", relation="owner")
    assert users == {"users": ["user:work/7"], "complete": True}
    teams = await ask(house, "list-users", object="repository:lab/1", relation="owner", user_type="team#member")
    assert teams["users"] == ["team:core#member"]


async def test_tuples_are_listed_with_who_holds_them(house):
    """By object, relation and user; the source is the token's name."""
    until = {"name": "until", "context": {"end": "2027-01-01T00:00:00Z"}}
    await write(house, one("user:1", "member", "team:core", condition=until), one("user:2", "member", "team:core"))
    listed = (await house.client.get("/v1/relations/tuples?object=team:core&limit=1")).json()
    assert listed["tuples"] == [one("user:1", "member", "team:core", condition=until, sources=["person:admit.yaml:0"])]
    rest = (await house.client.get(f"/v1/relations/tuples?object=team:core&limit=1&cursor={listed['cursor']}")).json()
    assert ([t["user"] for t in rest["tuples"]], rest["cursor"]) == (["user:2"], None)
    assert (await house.client.get("/v1/relations/tuples?relation=member")).status_code == 422


async def test_model_is_replaced_and_its_answers_with_it(house):
    """The starter is in use until somebody brings another; tuples that one does not allow count for nothing, and come back with it."""
    begin = (await house.client.get("/v1/relations/model")).json()
    assert (begin["number"], begin["form"]) == (0, "dsl")
    await write(house, one("user:1", "member", "team:core"))
    small = "model\n  schema 1.1\n\ntype user\n\ntype team\n  relations\n    define lead: [user]\n"
    put = await house.client.put("/v1/relations/model", content=small)
    assert (put.status_code, put.json()["number"]) == (201, 1)
    assert put.json()["not_allowed"] >= 1  # what the forge says of the repository may have come meanwhile
    again = await house.client.put("/v1/relations/model", content=small)
    assert (again.status_code, again.json()["number"]) == (200, 1)
    assert "no relation 'member'" in await refused(house, "check", user="user:1", relation="member", object="team:core")
    back = await house.client.put("/v1/relations/model", content=begin["model"])
    assert (back.status_code, back.json()["number"]) == (201, 2)
    assert (await ask(house, "check", user="user:1", relation="member", object="team:core"))["allowed"] is True


async def test_bad_model_is_refused_with_line_and_column(house):
    """What does not parse, a relation that is not defined, and a circle; what was in force stays."""
    for model, code, line in (
        ("model\n  schema 1.1\n\ntype user\n  relation\n", None, 5),
        ("model\n  schema 1.1\n\ntype user\n\ntype team\n  relations\n    define lead: boss\n", "missing-definition", 8),
        ("model\n  schema 1.1\n\ntype user\n\ntype team\n  relations\n    define a: b\n    define b: a\n", "loop", 8),
    ):
        answer = await house.client.put("/v1/relations/model", content=model)
        assert answer.status_code == 422, answer.text
        found = answer.json()["problems"]
        assert found
        assert code is None or found[0]["code"] == code
        assert line is None or (found[0]["line"], found[0]["column"] > 0) == (line, True)
    assert (await house.client.get("/v1/relations/model")).json()["number"] == 0


async def test_bad_questions_and_tuples_are_refused_in_words(house):
    """A tuple the model does not allow, unknown types, names that are none, 101 contextual tuples, a condition without its parameter."""
    assert "writes.0: expected a text as user" in await refused(house, "tuples", writes=[{"relation": "member", "object": "team:core"}])
    says = await refused(house, "tuples", writes=[one("team:a", "member", "team:core")])
    assert "the model does not allow team:core#member@team:a" in says
    assert "has no type 'planet'" in await refused(house, "check", user="user:1", relation="member", object="planet:1")
    assert "at most 512 bytes" in await refused(house, "check", user="user:" + "x" * 10_000, relation="member", object="team:core")
    for name in ("user", "user:a:b", "user:1#", "user:a b", "*"):
        assert "expected a user as" in await refused(house, "check", user=name, relation="member", object="team:core")
    many = [one(f"user:{n}", "member", "team:core") for n in range(101)]
    says = await refused(house, "check", user="user:1", relation="member", object="team:core", contextual_tuples=many)
    assert "at most 100 contextual tuples" in says
    await write(house, one("user:1", "member", "team:core", condition={"name": "until"}))
    assert "end" in await refused(house, "check", user="user:1", relation="member", object="team:core")


async def test_answer_26_steps_away_is_refused_as_the_server_does(house):
    """25 steps are answered; further away nobody says no."""
    model = "model\n  schema 1.1\n\ntype user\n\ntype step\n  relations\n    define up: [step]\n    define seen: [user] or seen from up\n"
    assert (await house.client.put("/v1/relations/model", content=model)).status_code == 201
    await write(house, *[one(f"step:{n + 1}", "up", f"step:{n}") for n in range(30)], one("user:1", "seen", "step:24"))
    assert (await ask(house, "check", user="user:1", relation="seen", object="step:0"))["allowed"] is True
    await write(house, one("user:1", "seen", "step:30"), deletes=[one("user:1", "seen", "step:24")])
    assert "more than 25 steps away" in await refused(house, "check", user="user:1", relation="seen", object="step:0")


async def test_only_an_administrator_changes_relations(house):
    """Another token reads."""
    _, text = await house.gateway.services.tokens.create("reads", [Scope.READER], by="test")
    headers = {"Authorization": f"Bearer {text}"}
    assert (await house.client.get("/v1/relations/tuples", headers=headers)).status_code == 200
    edit = {"writes": [one("user:1", "member", "team:core")]}
    assert (await house.client.post("/v1/relations/tuples", json=edit, headers=headers)).status_code == 403
    assert (await house.client.put("/v1/relations/model", content="model", headers=headers)).status_code == 403
