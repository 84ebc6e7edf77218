"""What the gateway refuses over HTTP, and that nothing of it is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import GatewayProcess, admit

SECRET = "a webhook secret of the tests"
SECRETS = {"T": "x", "S": SECRET}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[GatewayProcess]:
    """Connected to a Gitea that is not there: none of these requests may get that far."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "bundle.yaml").write_text("name: acme\npolicies:\n  - package: merge.x\n    match: {action: merge}\n")
    (bundle / "x.rego").write_text('package merge.x\n\ndeny contains "no label" if count(input.change.labels) == 0\n')
    connection = {"name": "work", "forge": "gitea", "url": "http://127.0.0.1:9", "token": "env:T", "webhook_secrets": ["env:S"]}
    process = GatewayProcess(folder, environment=SECRETS, bundles=["bundle"], connections=[connection])
    with process:
        yield process


def delivery_headers(body: bytes, *, signature: str | None = None) -> dict[str, str]:
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Gitea-Delivery": "1",
        "X-Gitea-Event": "push",
        "X-Gitea-Event-Type": "push",
        "X-Gitea-Signature": signed if signature is None else signature,
    }


def kept(gateway: GatewayProcess) -> int:
    """Rows that deliveries and what they set going left in the database."""
    with sqlite3.connect(gateway.folder / "admit.db") as database:
        return sum(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("delivery", "dispatch"))


@pytest.mark.parametrize("body", [b"{}", b"not json", b"\xff\xfe", b"[" * 10_000, b""], ids=["json", "text", "bytes", "deep", "empty"])
@pytest.mark.parametrize(
    "signature", ["", "0" * 64, "sha256=" + "0" * 64, "é" * 4, "a" * 100_0], ids=["none", "wrong", "other form", "odd", "long"]
)
def test_a_wrong_signature_is_401_whatever_the_body_holds(gateway, body, signature):
    """The signature is looked at first, and what fails it leaves nothing behind."""
    before = kept(gateway)
    headers = {**delivery_headers(body), "X-Gitea-Signature": signature.encode()}
    answer = httpx.post(f"{gateway.url}/webhooks/work", content=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert kept(gateway) == before


def test_a_signed_body_that_is_not_a_delivery_is_400(gateway):
    """Signed does not mean sensible."""
    before = kept(gateway)
    for body in (b"not json", b"[1]", b"[" * 100_000, b'"\xff"'):
        answer = httpx.post(f"{gateway.url}/webhooks/work", content=body, headers=delivery_headers(body))
        assert answer.status_code == 400, answer.text
    assert kept(gateway) == before


def test_an_unknown_connection_is_404(gateway):
    """Whatever is sent to it."""
    answer = httpx.post(f"{gateway.url}/webhooks/nobody", content=b"{}", headers=delivery_headers(b"{}"))
    assert answer.status_code == 404
    assert "nobody" in answer.json()["detail"]


def test_26_megabytes_are_413(gateway):
    """Also when the length is not declared; well signed or not."""
    before = kept(gateway)
    body = b" " * (26 * 1024 * 1024)
    declared = httpx.post(f"{gateway.url}/webhooks/work", content=body, headers=delivery_headers(body), timeout=300)
    assert declared.status_code == 413
    pieces = (body[start : start + 1024 * 1024] for start in range(0, len(body), 1024 * 1024))
    undeclared = httpx.post(f"{gateway.url}/webhooks/work", content=pieces, headers=delivery_headers(body), timeout=300)
    assert undeclared.status_code == 413
    assert kept(gateway) == before


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/decisions", "/v1/decisions/x", "/v1/decisions/x/input", "/v1/admissions", "/v1/nothing"]
)
@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic abc", "Bearer admit_wrong"])
def test_every_v1_path_needs_a_valid_token(gateway, path, token):
    """401, as a problem, whether there is something at the path or not; a cookie is no token here."""
    headers = {"Cookie": f"admit_token={gateway.token}"} | ({"Authorization": token} if token is not None else {})
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = httpx.request(method, gateway.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"not json", 400, "not JSON"),
        (b"\xff", 400, "UTF-8"),
        (b"[" * 100_000, 400, "deep"),
        (b'{"change": NaN}', 400, "NaN"),
        (b"[]", 422, "an object"),
        (b"{}", 422, "change or a workflow"),
        (b'{"change": {"title": "x"}}', 422, "change"),
        (b'{"change": {"url": "http://elsewhere.invalid/a/b/pulls/1"}}', 404, "not a change of any connection"),
    ],
)
def test_an_admission_that_cannot_be_asked_says_what_is_wrong(gateway, body, status, says):
    """Each bad input has its clear answer."""
    answer = gateway.post("/v1/admissions", content=body)
    assert answer.status_code == status, answer.text
    assert says in answer.text


def test_health_is_open_and_tells(gateway):
    """Probes need no token."""
    assert httpx.get(f"{gateway.url}/healthz").json()["status"] == "ok"
    assert httpx.get(f"{gateway.url}/readyz").json()["bundles"] == ["acme"]


def test_pages_show_facts_and_lists_only_to_those_with_a_token(gateway):
    """The front page asks for a token; a wrong one is refused; the right one lists."""
    with httpx.Client(base_url=gateway.url) as browser:
        assert "Sign in" in browser.get("/").text
        assert browser.post("/login", data={"token": "wrong"}).status_code == 401
        signed_in = browser.post("/login", data={"token": gateway.token})
        assert signed_in.status_code == 303
        assert "HttpOnly" in signed_in.headers["set-cookie"]
        assert "SameSite=strict" in signed_in.headers["set-cookie"]
        assert "Latest decisions" in browser.get("/").text
        assert browser.get("/decisions/nothing").status_code == 404


def test_a_token_made_on_the_command_line_works_at_once_and_until_it_is_revoked(gateway):
    """Beside the running gateway: shown once, listed without its text, refused as soon as it is revoked."""
    made = admit(
        "token", "create", "ci", "--scope", "reader", "--actor", "person:ana", "--expires", "90d", cwd=gateway.folder, environment=SECRETS
    )
    assert made.returncode == 0, made.stderr
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert httpx.get(f"{gateway.url}/v1/decisions", headers=headers).status_code == 200
    refused = httpx.post(f"{gateway.url}/v1/workflows/x/retry", headers=headers)
    assert refused.json()["detail"].startswith("the token 'ci' may not steer this; it needs the scope operator")
    (listed,) = [
        token
        for token in json.loads(admit("token", "list", "--json", cwd=gateway.folder, environment=SECRETS).stdout)
        if token["name"] == "ci"
    ]
    assert (listed["scopes"], listed["actor"], listed["valid"]) == (["reader"], "person:ana", True)
    again = admit("token", "create", "ci", "--scope", "reader", cwd=gateway.folder, environment=SECRETS)
    assert (again.returncode, "there is, or was, a token named 'ci'" in again.stderr) == (2, True)
    assert admit("token", "revoke", "ci", cwd=gateway.folder, environment=SECRETS).returncode == 0
    assert httpx.get(f"{gateway.url}/v1/decisions", headers=headers).status_code == 401
    assert made.stdout.strip() not in admit("token", "list", cwd=gateway.folder, environment=SECRETS).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scope", "root"], "expected some of admin, author, operator, reader, submitter, found 'root'"),
        (["--scope", "reader", "--expires", "tomorrow"], "expected 90d, 12h, 30m or a time"),
        (["--scope", "reader", "--actor", "ana"], "expected user:CONNECTION/ID or person:NAME"),
    ],
)
def test_a_token_nobody_could_use_is_not_made(gateway, arguments, says):
    """With what was expected."""
    refused = admit("token", "create", "wrong", *arguments, cwd=gateway.folder, environment={**SECRETS, "COLUMNS": "200"})
    assert refused.returncode == 2
    assert says in refused.stderr


def test_the_first_token_is_printed_once_and_kept_only_as_a_hash(gateway):
    """What lies in the database cannot be used."""
    content = b"".join(path.read_bytes() for path in gateway.folder.glob("admit.db*"))
    assert gateway.token
    assert gateway.token.encode() not in content
    assert gateway.token not in gateway.log.read_text()
    gateway.stop()
    token = gateway.token
    gateway.start()
    assert not any(line.startswith("admit_") for line in (gateway.folder / "serve-2.out").read_text().splitlines())
    assert gateway.token == token
    assert gateway.get("/v1/decisions").status_code == 200


def test_others_are_served_only_with_a_token_somebody_chose(tmp_path):
    """Without one, listening beyond loopback is refused, with what to do."""
    (tmp_path / "admit.yaml").write_text("listen: 0.0.0.0:1\n")
    refused = admit("serve", cwd=tmp_path)
    assert refused.returncode == 2
    assert "api_tokens" in refused.stderr
