"""Read one change whole: three requests where no list is longer than a page, and when to start over.

The pull request and its files by REST come first, then everything by GraphQL: two readings, from two of GitHub's answers,
of head, base and `updated_at`. They have to agree, and every list has to be as long as it says.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from providers.errors import NotFound, PermanentError, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github.checks import checks
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.facts import Facts, stack_of, state_by_rest
from providers.vcs.github.queries import CHANGE, CHECKS, LISTS, MOMENT, NEXT_PAGE
from providers.vcs.leaving_out import if_any, without
from providers.vcs.model import MAY_BE_LEFT_OUT, Change, ChangeState, Head
from providers.vcs.port import ChangeEvent, ChangeKey

PAUSES = (0.3, 0.7, 1.5)
"""Seconds before each new start."""
MOST_FILES = 3_000
"""GitHub lists no more: https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files"""
_FACT_OF = {"dismissals": "reviews", "reviewRequests": "requested_reviewers", "reviewThreads": "threads"}
"""What is made of a list that is called otherwise."""
_ALWAYS = frozenset({"labels", "commits"})


async def read_change(
    client: GithubClient, connection: str, key: ChangeKey, not_before: ChangeEvent | None, leave_out: frozenset[str]
) -> Change:
    """All facts of one moment, or a fault. Raises as the port says."""
    for pause in (*PAUSES, None):
        try:
            return without(await _read_once(client, Facts(connection), key, not_before, MAY_BE_LEFT_OUT - leave_out), leave_out)
        except TornFacts:
            if pause is None:
                raise
            await asyncio.sleep(pause)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
    raise AssertionError("unreachable")


async def _read_once(client: GithubClient, facts: Facts, key: ChangeKey, not_before: ChangeEvent | None, wanted: frozenset[str]) -> Change:
    path = path_of("repos", key.repository, "pulls", key.number)
    first = await client.get(path)
    if first.number("changed_files") > MOST_FILES:
        raise PermanentError(
            f"{first.where}: {first.number('changed_files')} files are changed, and GitHub lists at most {MOST_FILES}",
            advice="split the change",
        )
    files = await client.everything(f"{path}/files")
    repository = (await client.query(CHANGE, **variables(key))).document_or_none("repository")
    pull = repository.document_or_none("pullRequest") if repository is not None else None
    if repository is None or pull is None:
        raise NotFound(f"{first.where}: there by REST, but not by GraphQL")
    lists = {name: await _whole(client, key, pull, name) for name in LISTS if _FACT_OF.get(name, name) in wanted | _ALWAYS}
    contexts = await if_any(wanted & {"checks"}, lambda: _contexts(client, key, pull))
    _check_same_moment(first, pull)
    _check_files(first, pull, files)
    _check_commits(pull, lists["commits"])
    _check_not_before(pull, lists["commits"], not_before)
    return _change(facts, first, repository, pull, files, {**dict.fromkeys(LISTS, ()), **lists}, contexts)


def _change(
    facts: Facts,
    first: Document,
    repository: Document,
    pull: Document,
    files: Sequence[Document],
    lists: Mapping[str, Sequence[Document]],
    contexts: Sequence[Document],
) -> Change:
    state, head_sha = facts.state(pull), pull.text("headRefOid")
    merged = pull.document_or_none("mergeCommit") if state is ChangeState.MERGED else None
    return Change(
        connection=facts.connection,
        forge="github",
        repository=facts.repository_named(repository.number("databaseId"), repository.text("nameWithOwner")),
        number=pull.number("number"),
        url=pull.text("url"),
        title=pull.text("title"),
        body=pull.text("body"),
        author=facts.actor(pull.document_or_none("author")),
        labels=tuple(sorted(label.text("name") for label in lists["labels"])),
        draft=pull.flag("isDraft"),
        state=state,
        head=_head(pull),
        base=facts.base(pull),
        stack=stack_of(first),
        mergeable=facts.mergeable(pull),
        files=tuple(facts.file(file) for file in files),
        commits=tuple(facts.commit(commit) for commit in lists["commits"]),
        reviews=facts.reviews(lists["reviews"], lists["dismissals"]),
        requested_reviewers=facts.requested_reviewers(lists["reviewRequests"]),
        checks=checks(facts, contexts, head_sha),
        comments=tuple(facts.comment(comment) for comment in lists["comments"]),
        threads=tuple(facts.thread(thread) for thread in lists["reviewThreads"]),
        dependencies=None,  # GitHub knows them of issues, not of pull requests
        created_at=pull.time("createdAt"),
        updated_at=pull.time("updatedAt"),
        merged_sha=merged.text("oid") if merged is not None else None,
        merged_by=facts.actor(pull.document_or_none("mergedBy")) if state is ChangeState.MERGED else None,
    )


def _head(pull: Document) -> Head:
    repository = pull.document_or_none("headRepository")
    return Head(
        ref=pull.text("headRefName"),
        sha=pull.text("headRefOid"),
        repository=repository.text("nameWithOwner") if repository is not None else None,
        fork=pull.flag("isCrossRepository"),
    )


def variables(key: ChangeKey) -> dict[str, str | int]:
    """What queries about a change are asked with."""
    owner, _, name = key.repository.partition("/")
    return {"owner": owner, "name": name, "number": key.number}


# --- lists ------------------------------------------------------------------------------------


async def _whole(client: GithubClient, key: ChangeKey, pull: Document, name: str) -> Sequence[Document]:
    """A list's first page and all further ones, each of the same moment."""
    page = pull.document(name)
    total, found = page.number("totalCount"), list(page.documents("nodes"))
    while page.document("pageInfo").flag("hasNextPage"):
        after = page.document("pageInfo").text("endCursor")
        answer = await client.query(NEXT_PAGE[name], **variables(key), after=after)
        again = answer.document("repository").document("pullRequest")
        if _moment(again) != _moment(pull) or again.document(name).number("totalCount") != total:
            raise TornFacts(f"{key.repository}#{key.number}: it moved while its {name} were read")
        page = again.document(name)
        if not page.documents("nodes") or len(found) > total:
            break
        found.extend(page.documents("nodes"))
    if len(found) != total:
        raise TornFacts(f"{key.repository}#{key.number}: expected {total} {name}, found {len(found)}")
    return found


async def _contexts(client: GithubClient, key: ChangeKey, pull: Document) -> Sequence[Document]:
    """All statuses and check runs of the head. They come with its commit, or, where a change has none, are asked for."""
    owner, head = variables(key), pull.text("headRefOid")
    commits = pull.document("tip").documents("nodes")
    tip = commits[0].document("commit") if commits else None
    if tip is None or tip.text("oid") != head:
        if tip is not None and pull.text("state") == "OPEN":
            raise TornFacts(f"{key.repository}#{key.number}: the head is {head[:12]}, but its commits end with {tip.text('oid')[:12]}")
        tip = await _commit(client, owner, head, None)
    found: list[Document] = []
    while True:
        rollup = tip.document_or_none("statusCheckRollup")
        if rollup is None:
            if found:
                raise TornFacts(f"{key.repository}#{key.number}: its checks went away while they were read")
            return found
        page = rollup.document("contexts")
        found.extend(page.documents("nodes"))
        if not page.document("pageInfo").flag("hasNextPage") or len(found) > page.number("totalCount"):
            break
        tip = await _commit(client, owner, head, page.document("pageInfo").text("endCursor"))
    if len(found) != page.number("totalCount"):
        raise TornFacts(f"{key.repository}#{key.number}: expected {page.number('totalCount')} checks, found {len(found)}")
    return found


async def _commit(client: GithubClient, owner: Mapping[str, str | int], sha: str, after: str | None) -> Document:
    answer = await client.query(CHECKS, owner=owner["owner"], name=owner["name"], oid=sha, after=after)
    commit = answer.document("repository").document_or_none("object")
    if commit is None:
        raise TornFacts(f"the head {sha[:12]} is not in the repository yet")
    return commit


# --- one moment -------------------------------------------------------------------------------


def _moment(pull: Document) -> tuple[object, ...]:
    return tuple(pull.fields.get(name) for name in MOMENT.split())


def _check_same_moment(first: Document, pull: Document) -> None:
    """Raises TornFacts unless both readings tell of one head, base and state."""
    head, base = first.document("head"), first.document("base")
    before = {
        "head": (head.text("ref"), head.text("sha")),
        "base": base.text("ref"),
        "updated_at": first.time("updated_at"),
        "state": state_by_rest(first),
        "draft": first.flag("draft"),
        "title": first.text("title"),
        "labels": len(first.documents("labels")),
        "files": first.number("changed_files"),
    }
    after = {
        "head": (pull.text("headRefName"), pull.text("headRefOid")),
        "base": pull.text("baseRefName"),
        "updated_at": pull.time("updatedAt"),
        "state": Facts.state(pull),
        "draft": pull.flag("isDraft"),
        "title": pull.text("title"),
        "labels": pull.document("labels").number("totalCount"),
        "files": pull.number("changedFiles"),
    }
    different = [name for name in after if before[name] != after[name]]
    if different:
        raise TornFacts(f"{first.where}: it moved while it was read: {', '.join(different)}")


def _check_files(first: Document, pull: Document, files: Sequence[Document]) -> None:
    """As many as are changed, each once, and each listed for the head: its address carries the commit."""
    head = pull.text("headRefOid")
    if len(files) != pull.number("changedFiles"):
        raise TornFacts(f"{first.where}: {pull.number('changedFiles')} files are changed, but {len(files)} are listed")
    twice = [name for name, times in Counter(file.text("filename") for file in files).items() if times > 1]
    if twice:
        raise TornFacts(f"{first.where}: the same file is listed twice, so a page moved while it was read")
    for file in files:
        listed_for = parse_qs(urlsplit(file.text("contents_url")).query).get("ref", [head])
        if listed_for != [head]:
            raise TornFacts(f"{first.where}: files of another commit than the head {head[:12]} are listed")


def _check_commits(pull: Document, commits: Sequence[Document]) -> None:
    """The last one is the head, each once."""
    listed = [commit.document("commit").text("oid") for commit in commits]
    if len(set(listed)) != len(listed):
        raise TornFacts(f"{pull.where}: the same commit is listed twice, so a page moved while it was read")
    if listed and listed[-1] != pull.text("headRefOid"):
        raise TornFacts(f"{pull.where}: the head is {pull.text('headRefOid')[:12]}, but the commits listed end with {listed[-1][:12]}")


def _check_not_before(pull: Document, commits: Sequence[Document], event: ChangeEvent | None) -> None:
    """Raises TornFacts if the facts are older than the event that asked for them."""
    if event is None:
        return
    updated = pull.time("updatedAt")
    if event.updated_at is not None and updated < event.updated_at:
        raise TornFacts(f"{pull.where}: updated at {updated.isoformat()}, but an event tells of {event.updated_at.isoformat()}")
    known = {pull.text("headRefOid"), *(commit.document("commit").text("oid") for commit in commits)}
    newer = event.updated_at is not None and updated > event.updated_at
    if event.head_sha is not None and event.head_sha not in known and not newer:
        raise TornFacts(f"{pull.where}: an event tells of the head {event.head_sha[:12]}, which is not there yet")
