"""The gateway beside what a team would write by hand: webhook intake, and `POST /v1/admissions` durably recorded.

Both judge by the same 8 rules and 3 relationships. The hand-written service asks a real OPA server and a real OpenFGA; the
gateway has its engine beside it, and its relationships in the process or on the same OpenFGA: on both sides the same 5,000
tuples of the starter model, since a real store is not empty. The gateway never takes an answer from OpenFGA's cache; the
hand-written one is measured without it, and with a cache that always hits. OpenFGA has its tuples in memory, which it offers
for trying it out, and beside that, in rows of their own, on PostgreSQL, where a team would keep them.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks import relations_beside as beside
from tests.benchmarks.load import Load, closed_loop
from tests.benchmarks.rows import Row
from tests.builders import a_change_document, an_actor
from tests.e2e.process import GatewayProcess, eventually, write_bundle
from tests.servers.catalogue import server
from tests.servers.ports import free_port
from tests.servers.postgresql import fresh_postgresql

SECRET = "a secret of the benchmark"
RULES = """\
package bench

deny contains "draft" if input.change.draft
deny contains "no title" if count(input.change.title) < 5
deny contains sprintf("label %s", [label]) if { some label in input.change.labels; startswith(label, "do-not") }
deny contains "too many files" if count(input.change.files) > 100
deny contains sprintf("path %s", [file.path]) if { some file in input.change.files; regex.match(`^secrets/`, file.path) }
deny contains "no approval" if count(approvers) < 1
deny contains sprintf("unverified %s", [commit.sha]) if { some commit in input.change.commits; commit.verified == false }
deny contains "wrong branch" if not input.change.base.ref in {"main", "release"}

approvers contains review.user.ref if {
	some review in input.change.reviews
	review.state == "approved"
	review.commit_sha == input.change.head.sha
	review.user.ref != input.change.author.ref
}
"""


def a_document(number: int, world: beside.World = beside.FLAT) -> bytes:
    """About 2 kB, each a change of its own, in one of a hundred repositories: those at the same time ask about other people and places."""
    place = world.places[number % 100]
    reviews = [
        {
            "user": an_actor("ben", place.owner),
            "state": "approved",
            "commit_sha": "a" * 40,
            "submitted_at": "2026-03-02T10:00:00Z",
            "dismissed": False,
        }
    ]
    files = [
        {"path": f"app/module_{index}.py", "previous_path": None, "status": "modified", "additions": 5, "deletions": 2}
        for index in range(8)
    ]
    repository = {"id": place.repository, "name": f"acme/app-{place.repository}", "ref": f"repository:work/{place.repository}"}
    author = an_actor("ana", place.writer)
    change = a_change_document(number=number + 1, repository=repository, author=author, reviews=reviews, files=files)
    return json.dumps({"version": 1, "change": change}).encode()


@contextmanager
def by_hand(folder: Path, opa: str, relations: beside.Served, consistency: str) -> Iterator[str]:
    """The hand-written service in a process and a folder of its own; its URL."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    environment = {
        **os.environ,
        **relations.environment,
        "BY_HAND_DATABASE": str(folder / "by_hand.db"),
        "BY_HAND_SECRET": SECRET,
        "BY_HAND_OPA": opa,
        "BY_HAND_CONSISTENCY": consistency,
    }
    options = ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    with _process(
        [sys.executable, "-m", "uvicorn", "tests.benchmarks.by_hand:app", *options], f"http://127.0.0.1:{port}/docs", environment
    ):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def opa_server(folder: Path) -> Iterator[str]:
    """A raw OPA server that holds the rules; its URL."""
    binary = server("opa").path()
    if binary is None:
        raise RuntimeError(f"the OPA server is not here: {server('opa').how_to_get}")
    (folder / "bench.rego").write_text(RULES)
    port = free_port()
    command = [
        str(binary),
        "run",
        "--server",
        "--addr",
        f"127.0.0.1:{port}",
        "--log-level",
        "error",
        "--disable-telemetry",
        str(folder / "bench.rego"),
    ]
    with _process(command, f"http://127.0.0.1:{port}/health", dict(os.environ)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def our_gateway(folder: Path, relations: Mapping[str, Any]) -> Iterator[GatewayProcess]:
    """`admit serve` with the same rules, and the relationships asked for."""
    folder.mkdir()
    manifest = "name: bench\npolicies:\n  - package: bench\n    match: {action: merge}\n"
    rules = RULES.replace("package bench\n", "package bench\n\nimport data.admit\n") + beside.RULES
    write_bundle(folder / "bundle", {"bundle.yaml": manifest, "bench.rego": rules})
    connection = {"name": "work", "forge": "gitea", "url": "http://127.0.0.1:9", "token": "env:T", "webhook_secrets": ["env:S"]}
    environment = {"T": "x", "S": SECRET}
    with GatewayProcess(folder, environment=environment, bundles=["bundle"], connections=[connection], relations=relations) as process:
        yield process


async def measure() -> list[Row]:
    """At 1, 8 and 32 at once; each pair one after the other in the same run."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="admit-bench-") as name, ExitStack() as stack:
        opa = stack.enter_context(opa_server(Path(name)))
        for number, world in enumerate((beside.FLAT, beside.NESTED)):
            folder = Path(name) / str(number)
            folder.mkdir()
            rows += await _admissions(folder, opa, world)
        rows += await _intake(Path(name), opa)
    return rows


async def _admissions(folder: Path, opa: str, world: beside.World) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as stack:
        openfga = stack.enter_context(beside.served(beside.CACHING, world=world))
        kept = stack.enter_context(beside.served(world=world, postgresql=stack.enter_context(fresh_postgresql())))
        other = stack.enter_context(by_hand(folder / "other", opa, openfga, "HIGHER_CONSISTENCY"))
        cached = stack.enter_context(by_hand(folder / "cached", opa, openfga, "MINIMIZE_LATENCY"))
        on_disk = stack.enter_context(by_hand(folder / "on_disk", opa, kept, "HIGHER_CONSISTENCY"))
        local = stack.enter_context(our_gateway(folder / "local", {"file": str(beside.write_store_file(folder, world))}))
        remote = stack.enter_context(our_gateway(folder / "remote", openfga.setting))
        remote_on_disk = stack.enter_context(our_gateway(folder / "remote_on_disk", kept.setting))
        for at_once, requests in ((1, 300), (8, 1500), (32, 1500)):
            what = f"admissions, {at_once} at once, {world.name}"

            async def judged(service: GatewayProcess | str, requests: int = requests, at_once: int = at_once) -> Load:
                return await _judged(service, at_once, requests, world)

            here, there = await judged(local), await judged(remote, requests // 3)
            theirs, theirs_cached = await judged(other, requests // 3), await judged(cached)
            there_on_disk, theirs_on_disk = await judged(remote_on_disk, requests // 3), await judged(on_disk, requests // 3)
            rows += compared(f"{what}; here", here, theirs, "by hand, OpenFGA")
            rows += compared(f"{what}; here", here, theirs_cached, "by hand, OpenFGA from its cache")
            rows += compared(f"{what}; here", here, theirs_on_disk, "by hand, OpenFGA on PostgreSQL")
            rows += compared(f"{what}; OpenFGA", there, theirs, "by hand, OpenFGA")
            rows += compared(f"{what}; OpenFGA", there_on_disk, theirs_on_disk, "by hand, both with OpenFGA on PostgreSQL")
    return rows


async def _intake(folder: Path, opa: str) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as stack:
        store = beside.Served(api_url="", store_id="", model_id="")  # nothing is asked there
        other = stack.enter_context(by_hand(folder / "other", opa, store, "HIGHER_CONSISTENCY"))
        local = stack.enter_context(our_gateway(folder / "local", {"file": str(beside.write_store_file(folder))}))
        for at_once, requests in ((1, 500), (8, 3000), (32, 3000)):
            mine = await closed_loop(f"{local.url}/webhooks/work", _delivery, at_once=at_once, requests=requests, status=202)
            theirs = await closed_loop(f"{other}/webhook", _delivery, at_once=at_once, requests=requests, status=202)
            rows += compared(f"webhook intake, 25 kB, {at_once} at once", mine, theirs, "FastAPI + HMAC + group commit")
    return rows


_changes = itertools.count()


async def _judged(service: GatewayProcess | str, at_once: int, requests: int, world: beside.World = beside.FLAT) -> Load:
    """So many documents, each of a change that nobody has asked about before; after a hundred to warm up by, one of each repository."""
    if isinstance(service, str):
        url, headers = f"{service}/judge", {"Content-Type": "application/json"}
    else:
        url, headers = f"{service.url}/v1/admissions", {"Content-Type": "application/json", "Authorization": f"Bearer {service.token}"}

    def bodies(_: int) -> tuple[Mapping[str, str], bytes]:
        return headers, a_document(next(_changes), world)

    await closed_loop(url, bodies, at_once=at_once, requests=100, status=200)
    return await closed_loop(url, bodies, at_once=at_once, requests=requests, status=200)


def compared(what: str, mine: Load, theirs: Load, alternative: str) -> list[Row]:
    """Rate and latencies of the two."""
    return [
        Row(what=what, figure="requests/s", ours=mine.rate, other=theirs.rate, alternative=alternative),
        Row(what=what, figure="p50 ms", ours=mine.p50, other=theirs.p50, alternative=alternative, better="lower"),
        Row(what=what, figure="p99 ms", ours=mine.p99, other=theirs.p99, alternative=alternative, better="lower"),
    ]


_deliveries = iter(range(10**9))


def _delivery(number: int) -> tuple[Mapping[str, str], bytes]:
    """A push of 28 commits, 25 kB, as Gitea words it. Each body differs, as a forge's do: bytes that are known already would not
    be kept a second time."""
    unique = next(_deliveries)
    body = _push().replace(b"HEAD", f"{unique + 1:040x}".encode())
    return {
        "Content-Type": "application/json",
        "X-Gitea-Delivery": str(unique),
        "X-Gitea-Event": "push",
        "X-Gitea-Event-Type": "push",
        "X-Gitea-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
    }, body


@functools.cache
def _push() -> bytes:
    """What it is made of; `HEAD` stands where the new head does."""
    shas = [hashlib.sha1(f"{number}".encode()).hexdigest() for number in range(28)]
    ana = {"name": "Ana", "email": "ana@example.org", "username": "ana"}
    commits = [
        {
            "id": sha,
            "message": f"Sell {sha[:9]} to whoever asks for it\n",
            "url": f"http://127.0.0.1:9/acme/app/commit/{sha}",
            "author": ana,
            "committer": ana,
            "verification": None,
            "timestamp": f"2026-03-02T10:00:{number:02}Z",
            "added": [],
            "removed": [],
            "modified": [f"app/catalogue/articles/{sha[place : place + 7]}.py" for place in range(12)],
        }
        for number, sha in enumerate(shas)
    ]
    repository = {"id": 12, "full_name": "acme/app"}
    return json.dumps({"ref": "refs/heads/main", "after": "HEAD", "repository": repository, "commits": commits, "pusher": ana}).encode()


@contextmanager
def _process(command: list[str], probe: str, environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(probe), f"{command[0]} to answer")
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
