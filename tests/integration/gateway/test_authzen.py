"""The OpenID Authorization API over the gateway's own relations, and over a store file."""

from __future__ import annotations

import pytest

from gateway.config import RelationsFile
from tests.integration.gateway.house import a_house
from tests.integration.gateway.test_own_relations import one, write

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def house(tmp_path):
    async with a_house(tmp_path) as house:
        until = {"name": "until", "context": {"end": "2030-01-01T00:00:00Z"}}
        await write(
            house,
            one("user:1", "member", "team:core"),
            one("team:core#member", "owner", "repository:1"),
            one("user:2", "deployer", "environment:prod", condition=until),
            one("user:3", "deployer", "environment:prod", condition={"name": "until"}),
        )
        yield house


def named(text):
    type, _, id = text.partition(":")
    return {"type": type, "id": id}


def a_question(subject=None, action=None, resource=None, **fields):
    parts = {"subject": subject and named(subject), "action": action and {"name": action}, "resource": resource and named(resource)}
    return {**{name: part for name, part in parts.items() if part}, **fields}


async def post(house, path, body, status=200, **headers):
    answer = await house.client.post(f"/access/v1/{path}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_question_is_answered_with_its_path(house):
    """Yes with the reason; no; a set of users; properties say nothing."""
    found = await post(house, "evaluation", a_question("user:1", "owner", "repository:1"))
    assert found["decision"] is True
    assert found["context"]["path"][-1] == "user:1 is member of team:core"
    assert await post(house, "evaluation", a_question("user:9", "owner", "repository:1")) == {"decision": False}
    assert (await post(house, "evaluation", a_question("team:core#member", "owner", "repository:1")))["decision"] is True
    with_more = a_question("user:1", "owner", "repository:1")
    with_more["subject"]["properties"] = {"department": "sales"}
    assert (await post(house, "evaluation", with_more))["decision"] is True


async def test_context_gives_conditions_their_values(house):
    """The time is now, unless the request says which."""
    asks = a_question("user:2", "deployer", "environment:prod")
    assert (await post(house, "evaluation", asks))["decision"] is True
    assert (await post(house, "evaluation", {**asks, "context": {"current_time": "2031-01-01T00:00:00Z"}}))["decision"] is False


async def test_what_cannot_be_answered_is_no_permission(house):
    """An error by itself, a refusal with its reason within a batch."""
    assert "subject: expected one" in (await post(house, "evaluation", a_question(None, "owner", "repository:1"), 400))["detail"]
    assert "no type 'planet'" in (await post(house, "evaluation", a_question("user:1", "owner", "planet:1"), 400))["detail"]
    unknowable = a_question("user:3", "deployer", "environment:prod")
    assert "end" in (await post(house, "evaluation", unknowable, 400))["detail"]
    batch = {"evaluations": [unknowable, a_question("user:1", "owner", "repository:1"), a_question("user:1", "owner")]}
    found = (await post(house, "evaluations", batch))["evaluations"]
    assert [one["decision"] for one in found] == [False, True, False]
    assert [one["context"]["error"]["status"] for one in (found[0], found[2])] == [400, 400]


async def test_batch_takes_what_is_missing_from_the_request(house):
    """And ends where it is told to; without evaluations it is one question."""
    asks = a_question("user:1", "owner", None, evaluations=[{"resource": named(f"repository:{n}")} for n in (2, 1, 3)])

    async def decisions(semantic):
        found = await post(house, "evaluations", {**asks, "options": {"evaluations_semantic": semantic}})
        return [one["decision"] for one in found["evaluations"]]

    assert await decisions("execute_all") == [False, True, False]
    assert await decisions("deny_on_first_deny") == [False]
    assert await decisions("permit_on_first_permit") == [False, True]
    await post(house, "evaluations", {**asks, "options": {"evaluations_semantic": "guess"}}, 400)
    assert (await post(house, "evaluations", a_question("user:1", "owner", "repository:1")))["decision"] is True
    await post(house, "evaluations", {"evaluations": [a_question("user:1", "owner", "repository:1")] * 501}, 400)


async def test_request_is_echoed_and_needs_a_token(house):
    """As the standard asks."""
    asks = a_question("user:1", "owner", "repository:1")
    for path, body, headers, status in (
        ("evaluation", asks, {}, 200),
        ("evaluations", {"evaluations": [asks]}, {}, 200),
        ("evaluation", {}, {}, 400),
        ("evaluation", {"subject": 1}, {}, 400),
        ("evaluation", asks, {"Authorization": ""}, 401),
    ):
        answer = await house.client.post(f"/access/v1/{path}", json=body, headers={"X-Request-ID": "r-1", **headers})
        assert (answer.status_code, answer.headers.get_list("x-request-id")) == (status, ["r-1"])
        assert answer.headers["cache-control"] == "no-store"
    await post(house, "evaluation", asks, 401, Authorization="")
    await post(house, "nothing", asks, 401, Authorization="")


async def test_store_file_answers_too(tmp_path):
    """Without a path, and without values for conditions."""
    model = "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define reader: [user]\n"
    lines = "".join(f"  {line}\n" for line in model.splitlines())
    file = tmp_path / "store.yaml"
    file.write_text(f"model: |\n{lines}tuples:\n  - {{user: 'user:1', relation: reader, object: 'doc:1'}}\n")
    async with a_house(tmp_path, relations=RelationsFile(file=file)) as house:
        assert await post(house, "evaluation", a_question("user:1", "reader", "doc:1")) == {"decision": True}
        assert "context" in (await post(house, "evaluation", a_question("user:1", "reader", "doc:1", context={"a": 1}), 400))["detail"]
        assert (await house.client.get("/v1/relations/tuples")).status_code == 409
