"""Which addresses are a GitLab's, and which tokens and urls are taken, without a server."""

from __future__ import annotations

import pytest

from providers.errors import NotFound
from providers.vcs import ChangeKey
from providers.vcs.gitlab import GitLabForge
from providers.vcs.gitlab.client import GitLabClient, path_of


@pytest.mark.parametrize(
    ("url", "name", "number"),
    [
        ("https://git.test/sub/acme/web/-/merge_requests/7", "acme/web", 7),
        ("https://git.test/sub/acme/group/sub.group/web/-/merge_requests/7/diffs?tab=x#note_1", "acme/group/sub.group/web", 7),
        ("HTTPS://GIT.test:443/sub/acme/w%65b/-/merge_requests/12", "acme/web", 12),
    ],
)
def test_a_merge_requests_address_is_recognised(url: str, name: str, number: int) -> None:
    """Below the path people see it at, in however many groups."""
    forge = GitLabForge(connection="work", url="https://git.test/sub", token="t")
    assert forge.locate(url) == ChangeKey(repository=name, number=number)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.test/acme/web/-/merge_requests/7",
        "http://git.test/sub/acme/web/-/merge_requests/7",
        "https://git.test@evil.test/sub/acme/web/-/merge_requests/7",
        "https://git.test/sub/web/-/merge_requests/7",
        "https://git.test/sub/acme/web/-/issues/7",
        "https://git.test/sub/acme/web/merge_requests/7",
        "https://git.test/sub/acme/web/-/merge_requests/0",
        "https://git.test/sub/acme/../web/-/merge_requests/7",
        "https://git.test/sub/acme/%2e%2e/-/merge_requests/7",
        "https://[git.test/sub/acme/web/-/merge_requests/7",
    ],
)
def test_any_other_address_is_not(url: str) -> None:
    """Whatever it resembles."""
    assert GitLabForge(connection="work", url="https://git.test/sub", token="t").locate(url) is None


def test_a_path_is_one_segment_however_many_groups_it_has() -> None:
    """And nothing leaves its place."""
    assert path_of("projects", "acme/group/web", "repository", "branches", "release/1.0 ä") == (
        "/projects/acme%2Fgroup%2Fweb/repository/branches/release%2F1.0%20%C3%A4"
    )
    for name in ("acme/../secret", "..", "", "acme//web"):
        with pytest.raises(NotFound):
            path_of("projects", name)


@pytest.mark.parametrize("token", ["", "with space", "with\nline", "é"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    """Without saying it."""
    with pytest.raises(ValueError, match="token") as refused:
        GitLabClient(url="https://git.test", token=token, timeout=5)
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize("url", ["git.test", "ftp://git.test", "https://user:pass@git.test"])
def test_an_url_that_is_none_is_refused(url: str) -> None:
    """Credentials do not belong into it."""
    with pytest.raises(ValueError, match="URL"):
        GitLabClient(url=url, token="t", timeout=5)
