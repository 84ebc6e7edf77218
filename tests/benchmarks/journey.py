"""From an event on a real Gitea to the posted status, on a gateway that has nothing else to do.

The clock starts when Gitea has answered whoever labels the change, and stops when Gitea shows the new status: its own time to
send the webhook, our reads, the judgement, the record and the report are all in it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.e2e.process import GatewayProcess, write_bundle
from tests.servers.gitea import running_gitea
from tests.servers.ports import free_port

_TIMES = 20
_TARGET_MS = 300.0
_RULE = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
_SECRET = "a webhook secret of the benchmark"


async def measure() -> list[Row]:
    """Ours beside the target."""
    with tempfile.TemporaryDirectory(prefix="admit-journey-") as name, running_gitea() as gitea:
        folder, owner = Path(name), gitea.user(f"owner{free_port()}")
        write_bundle(
            folder / "bundle",
            {"bundle.yaml": "name: b\npolicies:\n  - package: merge.label\n    match: {action: merge}\n", "label.rego": _RULE},
        )
        connection = {
            "name": "work",
            "forge": "gitea",
            "url": gitea.url,
            "token": "env:TOKEN",
            "webhook_secrets": ["env:SECRET"],
            "repositories": [f"{owner.login}/*"],
        }
        environment = {"TOKEN": gitea.admin_token, "SECRET": _SECRET}
        with GatewayProcess(folder, environment=environment, bundles=["bundle"], connections=[connection]) as gateway:
            project = gitea.fresh_repository(owner)
            project.hook(f"{gateway.url}/webhooks/work", secret=_SECRET)
            taken = sorted(_one(project, number) for number in range(_TIMES))
    row = {"what": "event to posted status, real Gitea", "alternative": "the target"}
    return [
        Row(figure="p50 ms", ours=statistics.median(taken), other=_TARGET_MS, better="lower", **row),
        Row(figure="slowest ms", ours=taken[-1], other=_TARGET_MS, better="lower", **row),
    ]


def _one(project, number):  # type: ignore[no-untyped-def]
    sha = project.write({f"{number}.txt": "x\n"}, branch=f"b{number}")
    pull = project.open_pull(f"b{number}", title=f"Change {number}")
    _until(project, sha, "failure")
    project.label(pull, "ok")
    began = time.perf_counter()
    _until(project, sha, "success")
    return (time.perf_counter() - began) * 1000


def _until(project, sha, state):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 60
    while project.statuses(sha).get("admit/main", {}).get("status") != state:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the status of {sha} did not turn {state}")
        time.sleep(0.005)
