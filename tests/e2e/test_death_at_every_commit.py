"""The gateway dies at every commit point between a delivery's arrival and its status on a real Gitea; the end is always the same.

Fault-free first: it counts the commit points. Then, at each in turn, the process ends itself right after the commit, and is
started again on the same database. One decision is on record for each change, and every status that was posted says the same.
"""

from __future__ import annotations

import random
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.e2e.process import ADMIT, GatewayProcess, eventually
from tests.e2e.test_gitea_journey import SECRET, a_project, connection, open_pull
from tests.servers.gitea import session_gitea

DYING = (sys.executable, "-m", "tests.e2e.dying")
ROOT = str(Path(__file__).parent.parent.parent)
NEVER = 1_000_000


@pytest.fixture
def at_gitea(tmp_path, bundle):
    """A gateway that is not running yet, the project it watches, and a maker of projects whose deliveries never arrive."""
    gitea = session_gitea()
    owner = gitea.user(f"owner-{uuid.uuid4().hex[:8]}")
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET, "PYTHONPATH": ROOT}
    settings = {"bundles": [str(bundle)], "connections": [connection(gitea, owner)], "reconcile_seconds": 5}
    process = GatewayProcess(tmp_path, environment=environment, **settings)
    yield process, a_project(gitea, process, owner), lambda: gitea.fresh_repository(owner)
    process.kill()


def posted(project, sha):
    """Every status ever posted on the commit under the gateway's name."""
    found = project.call("GET", f"/statuses/{sha}", params={"limit": 50})
    return [(status["status"], status["description"]) for status in found if status["context"] == "admit/main"]


def ended(project, sha):
    return eventually(lambda: [status for status in posted(project, sha) if status[0] == "failure"], "the change to be denied")


@pytest.mark.timeout(3600)
def test_the_end_is_the_same_wherever_it_dies(at_gitea, tmp_path):
    """As many deaths as there are commit points, and each change ends as the one nobody disturbed."""
    gateway, project, _ = at_gitea
    counts = tmp_path / "commits"

    def dying(after):
        return {"program": DYING, "environment": {"ADMIT_DIES_AFTER": str(after), "ADMIT_COUNTS_IN": str(counts)}}

    gateway.start(**dying(NEVER))
    _, sha = open_pull(project, "undisturbed")
    undisturbed = ended(project, sha)[0]
    points = counts.stat().st_size + 1  # the last one is about the status that has just been posted
    gateway.kill()
    print(f"{points} commit points")
    assert points >= 4, "the delivery, its dispatch taken, the decision and the report are commits of their own"

    for point in range(1, points + 1):
        gateway.start(**dying(point))
        pull, sha = open_pull(project, f"point-{point}")
        eventually(lambda: gateway.dead, f"the gateway to die at commit {point}")
        gateway.start(program=[str(ADMIT)])
        assert set(ended(project, sha)) == {undisturbed}, f"died at commit {point}"
        recorded = gateway.decisions(repository=project.full_name, number=pull.number)
        assert [d["outcome"] for d in recorded] == ["denied"], f"died at commit {point}"
        assert {status[0] for status in posted(project, sha)} <= {"pending", "failure"}
        gateway.kill()


@pytest.mark.timeout(3600)
def test_the_end_is_the_same_after_random_deaths_and_lost_deliveries(at_gitea):
    """Ten changes at once, three of them in a repository whose deliveries never arrive; eight ends at any moment, half of them in order."""
    gateway, heard, silent = at_gitea
    unheard, chance = silent(), random.Random(20261124)
    gateway.start()
    opened = []
    for number in range(10):
        project = unheard if number % 3 == 2 else heard
        opened.append((project, *open_pull(project, f"change-{number}")))
        if number not in {0, 9}:
            time.sleep(chance.uniform(0, 0.6))  # a moment of the test's own choosing: it decides when to kill, nothing else
            gateway.kill() if number % 2 else gateway.stop()
            gateway.start()
    for project, pull, sha in opened:
        said = ended(project, sha)
        assert len(set(said)) == 1, said
        outcomes = [d["outcome"] for d in gateway.decisions(repository=project.full_name, number=pull.number)]
        assert outcomes == ["denied"]
