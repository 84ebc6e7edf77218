"""Who may do what over HTTP: every route with every scope, and tokens from their making to their end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.access import Scope, permits
from gateway.storage import StoredToken
from tests.integration.gateway.house import REPOSITORY, TOKEN, a_house


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def operations(house):
    """(method, path, scopes that would do) of every route of the API in the API's own description."""
    for path, methods in house.gateway.app.openapi()["paths"].items():
        for method, operation in methods.items():
            if path.startswith(("/v1/", "/access/v1/")):
                yield method.upper(), path, [Scope(*next(iter(need.values()))) for need in operation["security"]]


def concrete(path):
    """The path with something in every place of its parameters: nothing that exists."""
    return path.replace("{number}", "4711").replace("{", "no-").replace("}", "")


async def a_token(house, *scopes, **fields):
    _, text = await house.gateway.services.tokens.create(f"t{len(await house.gateway.services.tokens.all())}", scopes, by="test", **fields)
    return {"Authorization": f"Bearer {text}"}


def test_every_route_needs_the_scope_it_states_and_says_which(tmp_path):
    """Each with a token of each scope: 403 with the scope that is missing, or the route's own answer."""

    async def story():
        async with a_house(tmp_path) as house:
            stated = list(operations(house))
            assert len(stated) > 25
            for scope in Scope:
                headers = await a_token(house, scope.value)
                for method, path, needed in stated:
                    answer = await house.client.request(method, concrete(path), headers=headers)
                    where = (scope.value, method, path, answer.status_code, answer.text[:200])
                    lacking = "it needs the scope" in answer.text
                    assert answer.status_code != 401, where
                    assert lacking is not permits([scope.value], needed), where
                    assert answer.status_code == 403 or not lacking, where
                    if lacking:
                        assert all(word in answer.json()["detail"] for word in needed), where

    run(story())


def test_a_query_opens_nothing(tmp_path):
    """Admissions are taken past FastAPI's parsing where there is no query: whoever may not judge may not try either, and both are read."""

    async def story():
        async with a_house(tmp_path) as house:
            headers = await a_token(house, "reader")
            for query, status in (("", 403), ("?dry_run=true", 403), ("?dry_run=perhaps", 403)):
                answer = await house.client.post(f"/v1/admissions{query}", json={}, headers=headers)
                assert answer.status_code == status, (query, answer.text)
            allowed = await a_token(house, "submitter")
            for query in ("", "?dry_run=true", "?dry_run=perhaps"):
                answer = await house.client.post(f"/v1/admissions{query}", json={}, headers=allowed)
                assert answer.status_code == 422, (query, answer.text)

    run(story())


def test_no_route_is_open_to_tokens_that_are_no_more(tmp_path):
    """None at all, one that has expired, one that was revoked: 401 everywhere, also where there is nothing."""

    async def story():
        async with a_house(tmp_path) as house:
            tokens = house.gateway.services.tokens
            _, revoked = await tokens.create("gone", ["admin"], by="test")
            await tokens.revoke("gone", by="test")
            expired = "an expired token, long enough to be one"
            past = datetime.now(UTC) - timedelta(seconds=1)
            await tokens.storage.add_token(a_stored(expired, expires_at=past))
            for method, path, _ in [*operations(house), ("GET", "/v1/nothing", [])]:
                for headers in ({"Authorization": ""}, {"Authorization": f"Bearer {revoked}"}, {"Authorization": f"Bearer {expired}"}):
                    answer = await house.client.request(method, concrete(path), headers=headers)
                    assert answer.status_code == 401, (method, path)
                    assert answer.headers["content-type"] == "application/problem+json"

    run(story())


def a_stored(text, **fields):
    """As it was kept by a version that knew neither actors nor revocation."""
    import hashlib

    return StoredToken(
        name="old", hash=hashlib.sha256(text.encode()).hexdigest(), scopes=("admin",), created_at=datetime.now(UTC), **fields
    )


def test_the_scopes_are_the_ones_promised(tmp_path):
    """Not only consistent with themselves: who reads, steers, writes policies and administers."""
    promised = {
        ("GET", "/v1/decisions/{id}/input"): ["reader"],
        ("POST", "/v1/admissions"): ["submitter", "author", "operator"],
        ("PUT", "/v1/bundles/{name}"): ["author"],
        ("POST", "/v1/bundles/{name}/activate"): ["author"],
        ("POST", "/v1/workflows/{id}/cancel"): ["operator"],
        ("POST", "/v1/dead-letters/revive"): ["operator"],
        ("POST", "/v1/tokens"): ["admin"],
        ("DELETE", "/v1/tokens/{name}"): ["admin"],
        ("GET", "/v1/audit"): ["admin"],
        ("PUT", "/v1/relations/model"): ["admin"],
        ("POST", "/v1/relations/tuples"): ["admin"],
        ("POST", "/v1/relations/check"): ["reader"],
    }

    async def story():
        async with a_house(tmp_path) as house:
            found = {(method, path): needed for method, path, needed in operations(house)}
            assert {operation: found[operation] for operation in promised} == promised

    run(story())


def test_a_token_is_shown_once_listed_and_revoked(tmp_path):
    """Over HTTP; each step on record with who did it."""

    async def story():
        async with a_house(tmp_path) as house:
            end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
            wanted = {"name": "ci", "scopes": ["reader", "submitter"], "actor": "user:work/42", "expires_at": end}
            made = await house.client.post("/v1/tokens", json=wanted)
            assert made.status_code == 201, made.text
            text = made.json()["token"]
            own = {"Authorization": f"Bearer {text}"}
            assert (await house.client.get("/v1/tokens/self", headers=own)).json()["actor"] == "user:work/42"
            listed = (await house.client.get("/v1/tokens")).text
            assert '"ci"' in listed
            assert text not in listed
            assert (await house.client.post("/v1/tokens", json=wanted)).status_code == 409
            assert (await house.client.delete("/v1/tokens/ci")).json()["valid"] is False
            assert (await house.client.get("/v1/tokens/self", headers=own)).status_code == 401
            assert (await house.client.delete("/v1/tokens/nobody")).status_code == 404
            events = (await house.client.get("/v1/audit", params={"about": "ci"})).json()["events"]
            assert [event["what"] for event in events] == ["token.revoked", "token.created"]
            assert {event["who"] for event in events} == {(await house.client.get("/v1/tokens/self")).json()["name"]}

    run(story())


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"scopes": []}, "at least one of admin, author"),
        ({"scopes": ["root"]}, "found 'root'"),
        ({"actor": "ana"}, "expected user:CONNECTION/ID or person:NAME, found 'ana'"),
        ({"actor": "user:*"}, "found 'user:*'"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expected a time to come"),
        ({"expires_at": "2099-01-01T00:00:00"}, "with its zone"),
        ({"name": " x"}, "printable characters"),
        ({"name": "admit.yaml:1"}, "admit.yaml:"),
        ({"scope": "reader"}, "does not fit"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_what_was_expected(tmp_path, wanted, says):
    """And nothing is kept."""

    async def story():
        async with a_house(tmp_path) as house:
            answer = await house.client.post("/v1/tokens", json={"name": "ci", "scopes": ["reader"], **wanted})
            assert answer.status_code == 422
            assert says in answer.json()["detail"]
            assert len((await house.client.get("/v1/tokens")).json()["tokens"]) == 1

    run(story())


def test_a_configured_token_is_revoked_by_taking_it_out_of_the_file(tmp_path):
    """Whatever the order in the file; one that was taken out and comes back is valid again."""
    old, new = "the old token of the tests, long enough", "the new token of the tests, long enough"

    async def story():
        async with a_house(tmp_path) as house:
            tokens = house.gateway.services.tokens
            await tokens.configure([TOKEN, old])
            await tokens.configure([old, TOKEN, new])
            assert await tokens.recognise(old)
            (name,) = [token.name for token in await tokens.all() if token == await tokens.recognise(old)]
            assert (await house.client.delete(f"/v1/tokens/{name}")).status_code == 409
            await tokens.configure([TOKEN, new])
            assert await tokens.recognise(old) is None
            assert await tokens.recognise(new)
            await tokens.configure([TOKEN, old])
            assert await tokens.recognise(old)
            assert await tokens.recognise(new) is None
            assert len({token.name for token in await tokens.all()}) == 3
            what = [event.what for event in await tokens.storage.audit_events(about=name)]
            assert what == ["token.configured", "token.revoked", "token.configured"]

    run(story())


def test_what_an_operator_does_is_on_record_before_it_is_done(tmp_path):
    """With the token's name, also where it comes to nothing."""

    async def story():
        async with a_house(tmp_path) as house:
            headers = await a_token(house, "operator")
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            id = (await house.decided(key, lambda d: True)).change.workflow_id
            assert (await house.client.post(f"/v1/workflows/{id}/retry", headers=headers)).status_code == 200
            await house.client.post("/v1/workflows/nothing/cancel", headers=headers)
            events = (await house.client.get("/v1/audit")).json()["events"]
            found = [(event["what"], event["about"]) for event in events if event["what"].startswith("workflow.")]
            assert found == [("workflow.cancelled", "nothing"), ("workflow.retried", id)]
            assert {event["who"] for event in events if event["what"].startswith("workflow.")} == {"t1"}

    run(story())


def test_pages_show_facts_to_those_who_may_read_and_to_nobody_else(tmp_path):
    """The decision's page to whoever has its link; lists, relationships and facts with a reader's token, not a submitter's."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["a-secret-label"])
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            submitter, reader = await a_token(house, "submitter"), await a_token(house, "reader")
            for headers, may in (({"Authorization": ""}, False), (submitter, False), (reader, True)):
                page = await house.client.get(f"/decisions/{decision.id}", headers=headers)
                assert page.status_code == 200
                assert ("read them" in page.text) is may
                facts = await house.client.get(f"/decisions/{decision.id}/input", headers=headers)
                assert ("a-secret-label" in facts.text) is may
                front = await house.client.get("/", headers=headers)
                assert ("Latest decisions" in front.text) is may
            text = submitter["Authorization"].removeprefix("Bearer ")
            assert (await house.client.post("/login", data={"token": text}, headers={"Authorization": ""})).status_code == 401

    run(story())
