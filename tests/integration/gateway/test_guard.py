"""What is refused of any request, whoever sent it: hosts, other sites, sizes, depths, rates."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.config_limits import LimitSettings
from tests.integration.gateway.house import a_house


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def test_pages_are_served_by_our_own_names_alone(tmp_path):
    """Not by one that was made to lead here; the API and probes, which no browser's cookie opens, by any."""

    async def story():
        async with a_house(tmp_path, public_url="https://gate.example", listen="127.0.0.1:8080", hosts=("gate.internal",)) as house:
            for host in (
                "gate.example",
                "GATE.example:443",
                "gate.internal:8080",
                "localhost:8080",
                "127.0.0.1",
                "[::1]:8080",
                "192.0.2.7",
            ):
                assert (await house.client.get("/", headers={"Host": host})).status_code == 200, host
            for host in ("evil.example", "gate.example.evil.example", "", "a b", "[::1", "@gate.example:evil"):
                for path in ("/", "/decisions/x", "/docs", "/openapi.json"):
                    refused = await house.client.get(path, headers={"Host": host})
                    assert refused.status_code == 421, (host, path)
                assert "evil" not in refused.text
            for path in ("/v1/decisions", "/healthz", "/metrics"):
                assert (await house.client.get(path, headers={"Host": "pod-7.evil.example"})).status_code == 200, path
            assert "max-age" in (await house.client.get("/")).headers["strict-transport-security"]

    run(story())


def test_mixed_hosts_and_credentials_are_refused(tmp_path):
    """Two of what can be but one: who is behind a proxy would read the other."""

    async def story():
        async with a_house(tmp_path) as house:
            for twice in ([("Host", "a"), ("Host", "b")], [("Authorization", "Bearer x"), ("Authorization", "Bearer y")]):
                answer = await house.client.get("/v1/decisions", headers=twice)
                assert (answer.status_code, answer.json()["detail"]) == (400, "a request has one Host and at most one Authorization")

    run(story())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_no_other_site_acts_through_somebodys_browser(tmp_path, headers):
    """Not even by signing somebody in; the same form from our own page works."""

    async def story():
        async with a_house(tmp_path) as house:
            form = {"token": "x"}
            refused = await house.client.post("/login", data=form, headers={"Authorization": "", **headers})
            assert (refused.status_code, refused.json()["detail"]) == (403, "this came from another site's page, and acts for nobody")
            own = {"Authorization": "", "Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
            assert (await house.client.post("/login", data=form, headers=own)).status_code == 401
            assert (await house.client.get("/", headers=headers)).status_code == 200, "a link from elsewhere may be followed"

    run(story())


SMALL = ["/v1/bundles/acme/activate", "/v1/bundles/acme/enforcement", "/v1/tokens", "/v1/record/erase", "/login"]


@pytest.mark.parametrize("path", SMALL)
def test_a_body_over_a_megabyte_is_refused_where_none_is_needed(tmp_path, path):
    """Declared or not, before it is read whole."""

    async def pieces():
        for _ in range(40):
            yield b" " * 65536

    async def story():
        async with a_house(tmp_path) as house:
            headers = {"Content-Type": "application/json"}
            declared = await house.client.post(path, content=b" " * (1024 * 1024 + 1), headers=headers)
            undeclared = await house.client.post(path, content=pieces(), headers=headers)
            assert [declared.status_code, undeclared.status_code] == [413, 413], (declared.text, undeclared.text)

    run(story())


def test_a_length_that_is_no_number_is_refused(tmp_path):
    """Also one that looks like digits to some."""

    async def story():
        async with a_house(tmp_path) as house:
            for length in ("x", "-1", "\xb2", "1_0", "9" * 30):
                answer = await house.client.post("/v1/tokens", content=b"{}", headers=[("Content-Length", length.encode("latin-1"))])
                assert answer.status_code in {400, 413}, length

    run(story())


@pytest.mark.parametrize("path", ["/v1/admissions", "/v1/tokens", "/v1/bundles/acme/activate", "/v1/submissions", "/v1/record/erase"])
@pytest.mark.parametrize("deep", [b"[" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000], ids=["open", "closed"])
def test_json_ten_thousand_deep_is_the_askers_mistake(tmp_path, path, deep):
    """Not ours: no 500."""

    async def story():
        async with a_house(tmp_path) as house:
            answer = await house.client.post(path, content=deep, headers={"Content-Type": "application/json"})
            assert answer.status_code in {400, 422}, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            json.loads(answer.text)

    run(story())


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path):
    """Each token, connection and address for itself; what was refused was not done."""

    async def story():
        async with a_house(tmp_path, limits=LimitSettings(per_token=0.001, per_connection=0.001, per_address=0.001)) as house:
            _, other = await house.gateway.services.tokens.create("other", ["reader"], by="test")
            others = {"Authorization": f"Bearer {other}"}
            for path, headers in (("/v1/decisions", {}), ("/v1/decisions", others), ("/healthz", {"Authorization": ""})):
                assert (await house.client.get(path, headers=headers)).status_code == 200
                refused = await house.client.get(path, headers=headers)
                assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
                assert 0 < int(refused.headers["retry-after"]) <= 1000
            house.forge.open_change("acme/shop", head="work", files={"a": "1"})
            one, two = [
                (await house.client.post("/webhooks/work", content=d.body, headers={**d.headers, "Authorization": ""})).status_code
                for d in house.forge.outbox()[:2]
            ]
            assert (one, two) == (202, 429)

    run(story())
