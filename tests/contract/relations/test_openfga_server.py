"""Relationship checks by a real OpenFGA server, and by one that is away, slow, changing or out of its mind."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from contextlib import asynccontextmanager

import pytest

from policies.errors import RelationsRefused, RelationsUnavailable
from policies.model import Question
from policies.relations.dsl import parse_model
from policies.relations.json_form import model_to_json
from policies.relations.openfga import ClientCredentials, OpenFgaRelations, Token
from tests.contract.relations.on_a_server import PATIENCE, a_store
from tests.contract.relations.test_port import MODEL, NOON, TUPLES
from tests.servers.faulty_proxy import Fault, faulty_proxy
from tests.servers.openfga import running_openfga, session_openfga
from tests.servers.relay import relay_to

ANOTHER_MODEL = MODEL.replace("owner but not blocked", "owner")
NOBODYS_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
SHORT = 0.5
"""A deadline that is meant to pass."""
SECRET = "correct-horse-battery-staple"


def asked(user, relation="owner", object="repository:work/12"):
    return Question(user=user, relation=relation, object=object)


ANA = asked("user:work/1")


@asynccontextmanager
async def asking(url, store, *, deadline=PATIENCE, **settings):
    """The adapter, connected to the store by that URL, until the block ends."""
    relations = OpenFgaRelations(api_url=url, store_id=store.id, deadline=deadline, **settings)
    try:
        yield relations
    finally:
        await relations.close()


async def refused(relations, *questions, by=RelationsUnavailable):
    """The exception that asking raises."""
    with pytest.raises(by) as raised:
        await relations.answers(questions or (ANA,), at=NOON)
    return raised.value


def on_batches(act):
    """For a proxy: call `act` with the number of each batch check, from 1."""
    count = 0

    def spoil(request):
        nonlocal count
        if request.target.endswith("/batch-check"):
            count += 1
            return act(count)
        return None

    return spoil


def test_all_questions_of_a_judgement_are_answered_from_several_batches():
    """120 questions are more than the server takes in one call; every one gets its own answer, asked twice or not."""

    async def story():
        openfga, store = session_openfga(), a_store(MODEL, TUPLES)
        store.write([{"user": f"user:{n}", "relation": "owner", "object": "repository:many"} for n in range(0, 120, 3)])
        questions = [asked(f"user:{n}", object="repository:many") for n in range(120)]
        async with faulty_proxy(openfga.url) as proxy, asking(proxy.url, store) as relations:
            answers = await relations.answers([*questions, *questions], at=NOON)
            batches = [json.loads(request.body) for request in proxy.requests if request.target.endswith("/batch-check")]
        assert answers == {question: n % 3 == 0 for n, question in enumerate(questions)}
        assert sorted(len(batch["checks"]) for batch in batches) == [20, 50, 50]
        assert {batch["consistency"] for batch in batches} == {"HIGHER_CONSISTENCY"}
        assert {batch["authorization_model_id"] for batch in batches} == {store.model_id}

    asyncio.run(story())


def test_server_that_is_killed_in_mid_batch_answers_nothing():
    """What was answered before is not handed out."""

    async def story():
        with running_openfga() as openfga:
            store = a_store(MODEL, TUPLES, openfga=openfga)
            async with faulty_proxy(openfga.url) as proxy, asking(proxy.url, store) as relations:
                assert (await relations.answers([ANA], at=NOON)) == {ANA: True}
                proxy.spoil = on_batches(lambda number: openfga.kill() if number == 2 else None)
                await refused(relations, *(asked(f"user:{n}") for n in range(60)))
                assert sum(request.target.endswith("/batch-check") for request in proxy.requests) > 2

    asyncio.run(story())


def test_server_that_holds_everything_back_is_given_up_at_the_deadline_and_asked_again_afterwards():
    """Slow is unavailable, with the deadline in the message; the next judgement finds it well."""

    async def story():
        openfga, store = session_openfga(), a_store(MODEL, TUPLES)
        with relay_to(openfga.url) as relay:
            relay.hold()
            async with asking(relay.url, store, deadline=SHORT) as relations:
                assert "1 questions within 0.5 s" in str(await refused(relations))
            relay.release()
            async with asking(relay.url, store) as relations:
                assert (await relations.answers([ANA], at=NOON)) == {ANA: True}

    asyncio.run(story())


@pytest.mark.parametrize("path", ["batch-check", "changes", "authorization-models"])
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.NO_COUNT, Fault.SHORT_PAGE)])
def test_no_fault_of_the_server_becomes_an_answer(fault, path):
    """Errors, limits, login pages, half documents and silence, in any of the calls: unavailable."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store, deadline=SHORT) as relations:
            proxy.spoil = lambda request: fault if path in request.target else None
            await refused(relations)

    asyncio.run(story())


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_CONNECTION])
def test_one_fault_is_got_over(fault):
    """Each call is tried twice."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store) as relations:
            proxy.spoil = on_batches(lambda number: fault if number == 1 else None)
            assert (await relations.answers([ANA], at=NOON)) == {ANA: True}

    asyncio.run(story())


@pytest.mark.parametrize("model_id", [None, NOBODYS_ID], ids=["newest model", "pinned model"])
def test_wrong_store_is_refused_and_told_where_to_correct_it(model_id):
    """A store that does not exist has no relations, rather than none that hold."""

    async def story():
        store = a_store(MODEL)
        store.id = NOBODYS_ID
        async with asking(session_openfga().url, store, model_id=model_id) as relations:
            assert "store_id" in (await refused(relations, by=RelationsRefused)).advice

    asyncio.run(story())


def test_wrong_model_is_refused_and_told_where_to_correct_it():
    """A model id of another store."""

    async def story():
        store, other = a_store(MODEL, TUPLES), a_store(MODEL)
        async with asking(session_openfga().url, store, model_id=other.model_id) as relations:
            refusal = await refused(relations, by=RelationsRefused)
            assert other.model_id in str(refusal)
            assert "model_id" in refusal.advice

    asyncio.run(story())


def test_store_without_a_model_is_refused():
    """Nothing can be asked of it."""

    async def story():
        async with asking(session_openfga().url, session_openfga().store()) as relations:
            assert "no authorization model" in str(await refused(relations, by=RelationsRefused))

    asyncio.run(story())


def test_unknown_relation_among_others_is_refused_by_name():
    """In the second batch, where all the others could be answered."""

    async def story():
        async with asking(session_openfga().url, a_store(MODEL, TUPLES)) as relations:
            questions = [asked(f"user:{n}") for n in range(60)] + [asked("user:7", "admin")]
            refusal = await refused(relations, *questions, by=RelationsRefused)
            assert "whether 'user:7' is 'admin' of 'repository:work/12' cannot be answered" in str(refusal)

    asyncio.run(story())


BLOCKED = asked("user:work/1", "approver", "repository:work/13")
"""No by MODEL, yes by ANOTHER_MODEL."""


@pytest.mark.parametrize("pinned", [False, True], ids=["newest model", "pinned model"])
def test_no_answer_is_given_by_two_models(pinned):
    """The newest model changes between question and answer: unavailable, and by the new one next time. A pinned one stays."""

    async def story():
        store = a_store(MODEL, TUPLES)
        first = store.model_id

        def published(number):
            if number == 1:
                store.write_model(model_to_json(parse_model(ANOTHER_MODEL)))

        model_id = first if pinned else None
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store, model_id=model_id) as relations:
            proxy.spoil = on_batches(published)
            if not pinned:
                fault = await refused(relations, BLOCKED)
                assert f"from {first} to {store.model_id}" in str(fault)
            assert (await relations.answers([BLOCKED], at=NOON)) == {BLOCKED: not pinned}
            assert store.model_id != first

    asyncio.run(story())


def written_during(store, *, times):
    """During each of the first batches another owner is written."""

    def write(number):
        if number <= times:
            store.write([{"user": f"user:late-{number}", "relation": "owner", "object": "repository:work/12"}])

    return on_batches(write)


def test_tuples_that_change_between_question_and_answer_are_asked_for_again():
    """Answers before and after a write do not stand beside each other: all are from after it."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store) as relations:
            proxy.spoil = written_during(store, times=1)
            late = asked("user:late-1")
            assert (await relations.answers([ANA, late], at=NOON)) == {ANA: True, late: True}
            assert sum(request.target.endswith("/batch-check") for request in proxy.requests) == 2

    asyncio.run(story())


def test_store_at_rest_costs_a_judgement_its_batch_and_one_reading():
    """What was read after one judgement was read before the next; a model that is pinned need not be looked for."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store, model_id=store.model_id) as relations:
            await relations.answers([ANA], at=NOON)
            before = len(proxy.requests)
            assert (await relations.answers([ANA], at=NOON)) == {ANA: True}
            calls = [request.target.partition("?")[0].rpartition("/")[2] for request in proxy.requests[before:]]
            assert calls == ["batch-check", "changes"]

    asyncio.run(story())


def test_tuples_that_changed_since_the_last_judgement_are_no_fault_of_this_one():
    """The state that is remembered has passed: all is asked again, and answered from what is there now."""

    async def story():
        store, late = a_store(MODEL, TUPLES), asked("user:late")
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store, model_id=store.model_id) as relations:
            assert (await relations.answers([late], at=NOON)) == {late: False}
            store.write([{"user": "user:late", "relation": "owner", "object": "repository:work/12"}])
            assert (await relations.answers([late], at=NOON)) == {late: True}
            proxy.spoil = written_during(store, times=2)
            assert (await relations.answers([late], at=NOON)) == {late: True}

    asyncio.run(story())


def test_tuples_that_never_rest_are_unavailable():
    """Somebody writes during every try."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store) as relations:
            proxy.spoil = written_during(store, times=100)
            assert "changed during each of 3 tries" in str(await refused(relations))

    asyncio.run(story())


def test_questions_follow_many_recent_changes():
    """More changes than one page of the server's list holds."""

    async def story():
        store = a_store(MODEL, TUPLES)
        store.write([{"user": f"user:{n}", "relation": "owner", "object": "repository:many"} for n in range(450)])
        async with asking(session_openfga().url, store) as relations:
            last = asked("user:449", object="repository:many")
            assert (await relations.answers([last], at=NOON)) == {last: True}

    asyncio.run(story())


def test_judgements_at_the_same_time_get_their_own_answers():
    """They share one connection to the server, never an answer."""

    async def story():
        store = a_store(MODEL, TUPLES)
        store.write([{"user": f"user:{n}", "relation": "owner", "object": f"repository:{n}"} for n in range(20)])
        async with asking(session_openfga().url, store) as relations:
            batches = [[asked(f"user:{n}", object=f"repository:{other}") for other in range(20)] for n in range(20)]
            found = await asyncio.gather(*(relations.answers(batch, at=NOON) for batch in batches))
        for n, (batch, answers) in enumerate(zip(batches, found, strict=True)):
            assert answers == {question: other == n for other, question in enumerate(batch)}

    asyncio.run(story())


def test_judgements_at_the_same_time_share_a_call_and_one_that_cannot_be_answered_spoils_no_other():
    """The refused question is named to who asked it, and the same one is asked once."""

    async def story():
        store = a_store(MODEL, TUPLES)
        nobody, unknown = asked("user:work/9"), asked("user:work/1", "admin")
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store) as relations:
            found = await asyncio.gather(
                relations.answers([ANA], at=NOON),
                relations.answers([ANA, unknown], at=NOON),
                relations.answers([nobody, ANA], at=NOON),
                return_exceptions=True,
            )
            batches = [json.loads(request.body) for request in proxy.requests if request.target.endswith("/batch-check")]
        assert (found[0], found[2]) == ({ANA: True}, {nobody: False, ANA: True})
        assert "'user:work/1' is 'admin'" in str(found[1])
        assert [len(batch["checks"]) for batch in batches] == [3]

    asyncio.run(story())


def test_tuples_that_change_during_a_shared_call_are_asked_for_again_by_all_who_shared_it():
    """Both get what is true after the write."""

    async def story():
        store, late = a_store(MODEL, TUPLES), asked("user:late-1")
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store) as relations:
            proxy.spoil = written_during(store, times=1)
            both = await asyncio.gather(relations.answers([late], at=NOON), relations.answers([ANA, late], at=NOON))
            assert both == [{late: True}, {ANA: True, late: True}]
            assert sum(request.target.endswith("/batch-check") for request in proxy.requests) == 2

    asyncio.run(story())


def test_server_that_wants_a_token_is_asked_with_one():
    """The right one is let in, as far as a store that does not exist; a wrong one and none are told about credentials."""

    async def story():
        with running_openfga("--authn-method=preshared", f"--authn-preshared-keys={SECRET}") as openfga:
            for credentials in (None, Token(token="another-" + SECRET)):
                relations = OpenFgaRelations(api_url=openfga.url, store_id=NOBODYS_ID, credentials=credentials, deadline=PATIENCE)
                fault = await refused(relations)
                assert "credentials" in fault.advice
                assert SECRET not in str(fault)
                await relations.close()
            relations = OpenFgaRelations(api_url=openfga.url, store_id=NOBODYS_ID, credentials=Token(token=SECRET), deadline=PATIENCE)
            assert "no authorization model" in str(await refused(relations, by=RelationsRefused))
            await relations.close()

    asyncio.run(story())


def test_asking_needs_no_thread_and_no_netrc_file(monkeypatch, tmp_path):
    """Each thread would cost a call as much as the call; and a password kept for the host does not get in the token's way."""
    (netrc := tmp_path / "netrc").write_text("machine 127.0.0.1 login ana password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _without_proxies(monkeypatch)

    async def story():
        before = set(threading.enumerate())
        async with asking(session_openfga().url, a_store(MODEL, TUPLES), credentials=Token(token=SECRET)) as relations:
            assert (await relations.answers([ANA], at=NOON)) == {ANA: True}
            assert set(threading.enumerate()) <= before

    asyncio.run(story())


def test_proxy_of_the_environment_is_gone_through(monkeypatch):
    """As other programs on the machine do."""
    _without_proxies(monkeypatch)

    async def story():
        openfga, store = session_openfga(), a_store(MODEL, TUPLES)
        async with faulty_proxy(openfga.url) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            async with asking(openfga.url, store) as relations:
                assert (await relations.answers([ANA], at=NOON)) == {ANA: True}
            assert {request.target.startswith(f"{openfga.url}/stores/") for request in proxy.requests} == {True}

    asyncio.run(story())


def _without_proxies(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def test_token_is_sent_and_shown_nowhere(caplog):
    """With every request; a server that refuses it is unavailable, and neither error nor log has the token."""
    caplog.set_level(logging.DEBUG)

    async def story():
        store = a_store(MODEL, TUPLES)
        token = Token(token=SECRET)
        async with faulty_proxy(session_openfga().url) as proxy, asking(proxy.url, store, credentials=token) as relations:
            await relations.answers([ANA], at=NOON)
            assert {request.headers.get("authorization") for request in proxy.requests} == {f"Bearer {SECRET}"}
            proxy.spoil = lambda request: Fault.UNAUTHORIZED
            fault = await refused(relations)
            assert "credentials" in fault.advice
            assert SECRET not in f"{fault} {fault.__cause__} {fault.__cause__!r} {token} {relations!r}"

    asyncio.run(story())
    assert SECRET not in caplog.text


@asynccontextmanager
async def an_issuer(*, gives=SECRET, status=200, seconds=86400):
    """Gives access tokens to whoever asks; the block gets its URL and what was asked."""
    asked_for = []

    async def connected(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length"))
        asked_for.append((await reader.readexactly(length)).decode())
        body = json.dumps({"access_token": gives, "expires_in": seconds, "token_type": "Bearer"}).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked_for


def test_client_credentials_are_exchanged_for_a_token_once(caplog):
    """One token for all requests of all judgements; neither it nor the client's secret is logged."""
    caplog.set_level(logging.DEBUG)

    async def story():
        store = a_store(MODEL, TUPLES)
        async with an_issuer() as (url, asked_for), faulty_proxy(session_openfga().url) as proxy:
            client = ClientCredentials(client_id="gate", client_secret="of-the-client", issuer=url, audience="fga", scopes=("read",))
            async with asking(proxy.url, store, credentials=client) as relations:
                await relations.answers([ANA], at=NOON)
                await relations.answers([ANA], at=NOON)
            assert "of-the-client" not in repr(client)
            assert {request.headers.get("authorization") for request in proxy.requests} == {f"Bearer {SECRET}"}
            (form,) = asked_for
            for part in ("client_id=gate", "client_secret=of-the-client", "grant_type=client_credentials", "audience=fga", "scope=read"):
                assert part in form.split("&")

    asyncio.run(story())
    assert SECRET not in caplog.text
    assert "of-the-client" not in caplog.text


def test_tokens_stay_out_of_the_log_of_who_looks_closely(caplog):
    """Where somebody has switched the SDK's own log on, and a token is renewed."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with an_issuer(seconds=1) as (url, asked_for):
            client = ClientCredentials(client_id="gate", client_secret="of-the-client", issuer=url)
            async with asking(session_openfga().url, store, credentials=client) as relations:
                await relations.answers([ANA], at=NOON)
                before = len(asked_for)
                caplog.set_level(logging.DEBUG, logger="openfga_sdk")
                await relations.answers([ANA], at=NOON)
                assert len(asked_for) > before

    asyncio.run(story())
    assert SECRET not in caplog.text
    assert "of-the-client" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
def test_issuer_that_gives_no_token_makes_answers_unavailable(status):
    """And what it said, which may hold a secret, is not repeated."""

    async def story():
        store = a_store(MODEL, TUPLES)
        async with an_issuer(status=status) as (url, _):
            client = ClientCredentials(client_id="gate", client_secret="of-the-client", issuer=url)
            async with asking(session_openfga().url, store, credentials=client) as relations:
                fault = await refused(relations)
                assert SECRET not in f"{fault} {fault.__cause__}"
                assert "of-the-client" not in f"{fault} {fault.__cause__}"

    asyncio.run(story())
