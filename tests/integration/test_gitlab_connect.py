"""`admit connect` on GitLab: what each licence can, what is amiss in plain words, and hooks that GitLab switched off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from providers.vcs import Gap, Role
from providers.vcs.gitlab import GitLabSetup
from tests.servers.gitlab import GitLab, running_gitlab, ticking_forge

PROJECT = "acme/group/web"
SIGNING = "whsec_" + "YWRtaXR0YW5jZSBzaWducyBoZXJl"


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    forge = ticking_forge()
    forge.create_repository(PROJECT)
    forge.grant(PROJECT, "admit", Role.WRITER)
    forge.grant(PROJECT, "olga", Role.MAINTAINER)
    with running_gitlab(forge=forge) as gitlab:
        yield gitlab
    assert not gitlab.violations, sorted(set(gitlab.violations))


@pytest.fixture
def folder(gitlab: GitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token("admit"))
    monkeypatch.setenv("GITLAB_SETUP_TOKEN", gitlab.token("olga"))
    monkeypatch.setenv("HOOK_SECRET", SIGNING)
    connection = {
        "name": "work",
        "forge": "gitlab",
        "url": gitlab.url,
        "token": "env:GITLAB_TOKEN",
        "setup_token": "env:GITLAB_SETUP_TOKEN",
        "webhook_secrets": ["env:HOOK_SECRET"],
        "repositories": ["acme/**"],
    }
    (tmp_path / "admit.yaml").write_text(yaml.safe_dump({"public_url": "https://gate.test", "connections": [connection]}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def connect(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["connect", "work", *arguments])


def kept(gitlab: GitLab):
    return gitlab.project(gitlab.forge.world.repository(PROJECT))


def test_on_ultimate_the_named_status_is_required(gitlab: GitLab, folder: Path) -> None:
    """By an external status check; running it again changes nothing, and nothing is amiss."""
    first = connect("--require", "main", "--only-gateway-merges")
    again = connect("--require", "main", "--only-gateway-merges")
    check = connect("--require", "main", "--check")

    assert (first.exit_code, again.exit_code, check.exit_code) == (0, 0, 0), first.output + again.output + check.output
    assert "required status admit/main on main created" in first.output
    assert "required status admit/main on main unchanged" in again.output
    [hook] = kept(gitlab).hooks
    assert (hook["url"], hook["signing_token_present"], hook["enable_ssl_verification"]) == ("https://gate.test/webhooks/work", True, True)
    assert SIGNING not in first.output + again.output + check.output


@pytest.mark.parametrize("tier", ["free", "premium"])
def test_elsewhere_it_is_said_that_a_named_status_cannot_be_required(gitlab: GitLab, folder: Path, tier: str) -> None:
    """And what to do instead; nothing is pretended, and nothing is changed on the branch."""
    gitlab.tier = tier
    asked = connect("--require", "main")
    kept(gitlab).rules.append({"id": 1, "name": "main", "push_access_levels": [], "merge_access_levels": [], "allow_force_push": False})
    check = connect("--require", "main", "--check")

    assert asked.exit_code != 0
    assert "cannot be required on 'main'" in asked.output
    assert check.exit_code == 1
    assert "a status of a certain name cannot be required on 'main': this GitLab's licence has no external status checks" in check.output
    for instead in ("let only the gateway merge", "a CI job that waits for the gateway", "Ultimate"):
        assert instead in check.output


def test_on_premium_only_the_gateway_merges_instead(gitlab: GitLab, folder: Path) -> None:
    """It merges only what it admitted, so that no name has to be required."""
    gitlab.tier = "premium"
    done = connect("--require", "main", "--only-gateway-merges")
    check = connect("--require", "main", "--check")

    assert (done.exit_code, check.exit_code) == (0, 0), done.output + check.output
    [rule] = kept(gitlab).rules
    own = int(gitlab.forge.account("admit").id)
    assert [level["user_id"] for level in rule["merge_access_levels"]] == [own]


def test_on_free_even_that_cannot_be_had(gitlab: GitLab, folder: Path) -> None:
    """GitLab lets maintainers merge whoever is named; the command does not say that all is well."""
    gitlab.tier = "free"
    done = connect("--require", "main", "--only-gateway-merges")
    assert done.exit_code != 0
    assert "is not as it was told to be" in done.output


@pytest.mark.parametrize(
    ("change", "gap", "words"),
    [
        ({"alert_status": "temporarily_disabled", "disabled_until": "2026-11-24T21:00:00Z"}, Gap.HOOK_INACTIVE, "switched off by GitLab"),
        ({"alert_status": "disabled"}, Gap.HOOK_INACTIVE, "switched off by GitLab"),
        ({"note_events": False}, Gap.HOOK_TOO_NARROW, "note_events"),
        ({"push_events_branch_filter": "main"}, Gap.HOOK_TOO_NARROW, "filtered by branch"),
    ],
)
def test_a_hook_that_went_bad_is_noticed_and_replaced(
    gitlab: GitLab, folder: Path, change: dict[str, object], gap: Gap, words: str
) -> None:
    """GitLab switches hooks off after failures, and tells nobody."""
    connect()
    [hook] = kept(gitlab).hooks
    hook.update(change)
    check = connect("--check")
    mended = connect()

    assert check.exit_code == 1
    assert gap.value in check.output
    assert words in check.output
    assert mended.exit_code == 0
    assert [one["alert_status"] for one in kept(gitlab).hooks] == ["executable"]


def test_what_the_account_lacks_is_not_hidden(gitlab: GitLab, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's token cannot set anything up."""
    monkeypatch.setenv("GITLAB_SETUP_TOKEN", gitlab.token("admit"))
    refused = connect("--require", "main")
    assert refused.exit_code != 0
    assert "403" in refused.output


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_most_generous_rule_counts(gitlab: GitLab, anyio_backend: str) -> None:
    """A second rule with a wildcard lets others push and merge: both are found."""
    setup = GitLabSetup(connection="work", url=gitlab.url, token=gitlab.token("olga"), account="admit", gateway_url="https://gate.test")
    await setup.require(PROJECT, "main", "admit/main", only_gateway_merges=True)
    everybody = {"id": 1, "access_level": 30, "access_level_description": "Developers + Maintainers", "user_id": None, "group_id": None}
    kept(gitlab).rules.append(
        {"id": 77, "name": "m*", "push_access_levels": [everybody], "merge_access_levels": [everybody], "allow_force_push": True}
    )
    found = await setup.audit(PROJECT, "main", "admit/main")
    await setup.close()
    assert {finding.gap for finding in found} == {Gap.PUSHES_ALLOWED, Gap.FORCE_PUSHES_ALLOWED, Gap.OTHERS_MAY_MERGE}
