"""The GraphQL side: GitHub's own schema (npm `@octokit/graphql-schema`), executed over the forge in memory.

Queries are validated against the schema before they run, and what they find is checked by it as it is written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import graphql
from graphql import GraphQLError

from providers.errors import NotFound
from providers.vcs.memory.facts import facts
from providers.vcs.model import Actor, ActorKind, Change, ChangeState, Commit, Review, ReviewState
from providers.vcs.port import ChangeKey
from tests.servers.github.rules import protects
from tests.servers.github.state import GithubState, below, blob_id, instant
from tests.servers.need import need

Json = Any


@functools.cache
def schema() -> graphql.GraphQLSchema:
    """Built once for all tests of the session."""
    return graphql.build_schema(need("github-graphql").read_text(), assume_valid=True, no_location=True)


def execute(state: GithubState, query: str, variables: dict[str, Json]) -> tuple[Json, list[str]]:
    """The answer as GitHub writes it, and what is wrong with the query or the answer."""
    document, wrong = _checked(query)
    if wrong:
        return {"errors": [{"message": message} for message in wrong]}, list(wrong)
    result = graphql.execute_sync(schema(), document, root_value=Root(state).fields(), variable_values=variables)
    errors = [_error(error) for error in result.errors or []]
    unexpected = [str(error) for error in result.errors or [] if not error.extensions]
    return {"data": result.data, **({"errors": errors} if errors else {})}, unexpected


@functools.cache
def _checked(query: str) -> tuple[graphql.DocumentNode, tuple[str, ...]]:
    """A query parsed, and what is wrong with it."""
    document = graphql.parse(query)
    return document, tuple(str(error) for error in graphql.validate(schema(), document))


def _error(error: GraphQLError) -> Json:
    return {"type": (error.extensions or {}).get("type", "INTERNAL"), "path": error.path, "message": error.message}


def connection(items: Sequence[Json]) -> Callable[..., Json]:
    """A list in pages, from either end."""

    def page(_info: Any, *, first: int | None = None, last: int | None = None, after: str | None = None, **_: Json) -> Json:
        assert (first or last or 0) in range(1, 101)
        start = int(after) if after else 0
        chosen = items[start : start + first] if first else items[-(last or 0) :]
        end = start + len(chosen)
        more = bool(first) and end < len(items)
        info = {"hasNextPage": more, "hasPreviousPage": start > 0, "startCursor": None, "endCursor": str(end) if chosen else None}
        return {"totalCount": len(items), "nodes": chosen, "pageInfo": info}

    return page


class Root:
    """The query's root over one state."""

    def __init__(self, state: GithubState) -> None:
        self._state = state

    def fields(self) -> Json:
        return {"repository": self._repository}

    def _repository(self, _info: Any, *, owner: str, name: str, **_: Json) -> Json:
        try:
            stored = self._state.forge.world.repository(f"{owner}/{name}")
        except NotFound as problem:
            message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            raise GraphQLError(message, extensions={"type": "NOT_FOUND"}) from problem
        return {
            "databaseId": int(stored.id),
            "nameWithOwner": stored.name,
            "pullRequest": lambda _info, number: self._pull(ChangeKey(repository=stored.name, number=number)),
            "object": lambda _info, oid: self._object(stored.name, oid),
            "mergeQueue": lambda _info, branch: self._queue(stored.name, branch),
        }

    # --- pull requests ----------------------------------------------------------------------------

    def _pull(self, key: ChangeKey) -> Json:
        try:
            change = facts(self._state.forge.world, key)
        except NotFound as problem:
            message = f"Could not resolve to a PullRequest with the number of {key.number}."
            raise GraphQLError(message, extensions={"type": "NOT_FOUND"}) from problem
        reviews = [(f"PRR_{key.number}_{index}", review) for index, review in enumerate(change.reviews)]
        merged = change.state is ChangeState.MERGED
        return {
            "number": change.number,
            "url": f"{self._state.url}/{change.repository.name}/pull/{change.number}",
            "title": change.title,
            "body": change.body,
            "createdAt": instant(change.created_at),
            "updatedAt": instant(change.updated_at),
            "headRefOid": change.head.sha,
            "headRefName": change.head.ref,
            "baseRefName": change.base.ref,
            "baseRefOid": change.base.sha or "0" * 40,
            "isDraft": change.draft,
            "state": change.state.value.upper(),
            "changedFiles": len(change.files),
            "merged": merged,
            "mergeable": "UNKNOWN" if change.mergeable is None else "MERGEABLE" if change.mergeable else "CONFLICTING",
            "isCrossRepository": change.head.fork,
            "author": account(change.author),
            "mergedBy": account(change.merged_by),
            "mergeCommit": {"oid": change.merged_sha} if merged else None,
            "headRepository": {"nameWithOwner": change.head.repository} if change.head.repository else None,
            "baseRef": self._branch(change) if change.base.sha else None,
            "labels": connection([{"name": name} for name in change.labels]),
            "commits": connection([{"commit": self._commit(change.repository.name, commit)} for commit in change.commits]),
            "reviews": connection([_review(id, review) for id, review in reviews]),
            "timelineItems": connection([_dismissal(id, review) for id, review in reviews if review.dismissed]),
            "reviewRequests": connection([{"requestedReviewer": account(actor)} for actor in change.requested_reviewers]),
            "comments": connection([_comment(one) for one in change.comments or ()]),
            "reviewThreads": connection([{"isResolved": bool(one.resolved), "path": one.path} for one in change.threads or ()]),
        }

    def _branch(self, change: Change) -> Json:
        classic, rulesets = protects(self._state.of(change.repository.name), change.base.ref)
        return {
            "target": {"__typename": "Commit", "oid": change.base.sha},
            "refUpdateRule": {"pattern": change.base.ref} if classic else None,
            "rules": connection([{}] * rulesets),
        }

    def _commit(self, repository: str, commit: Commit) -> Json:
        person = {"name": commit.author.name, "email": commit.author.email, "user": account(commit.author.actor)}
        return {
            "__typename": "Commit",
            "oid": commit.sha,
            "message": commit.message,
            "committedViaWeb": bool(commit.via_web),
            "author": person,
            "committer": person,
            "signature": {"__typename": "GpgSignature", "isValid": True} if commit.verified else None,
            "parents": connection([{"oid": parent} for parent in commit.parents]),
            "statusCheckRollup": lambda _info: self._rollup(repository, commit.sha),
        }

    def _rollup(self, repository: str, sha: str) -> Json:
        world = self._state.forge.world
        statuses = sorted(world.repository(repository).statuses.get(sha, {}).values(), key=lambda status: status.context)
        found: list[Json] = [
            {
                "__typename": "StatusContext",
                "context": status.context,
                "state": status.state.upper(),
                "targetUrl": status.target_url or None,
                "creator": account(world.shown(world.account(status.by))),
            }
            for status in statuses
        ]
        found += [_run(run) for run in self._state.of(repository).runs if run["head_sha"] == sha]
        return {"contexts": connection(found)} if found else None

    # --- git --------------------------------------------------------------------------------------

    def _object(self, repository: str, oid: str) -> Json:
        objects = self._state.forge.world.objects
        if oid in objects.commits:
            tree = objects.tree(oid)
            return {
                "__typename": "Commit",
                "oid": oid,
                "tree": {"oid": self._state.tree_id(tree)},
                "file": lambda _info, path: self._entry(tree, path),
                "statusCheckRollup": lambda _info: self._rollup(repository, oid),
            }
        content = self._blobs().get(oid)
        if content is None:
            return None
        try:
            text = content.decode() if b"\0" not in content else None
        except UnicodeDecodeError:
            text = content.decode(errors="replace")  # as GitHub does: its name no longer fits
        return {"__typename": "Blob", "oid": oid, "text": text, "isTruncated": False}

    def _entry(self, tree: Any, path: str) -> Json:
        if path in tree:
            return {"oid": blob_id(tree[path]), "type": "blob"}
        inside = below(tree, path)
        return {"oid": self._state.tree_id(inside), "type": "tree"} if inside and path != "." else None

    def _blobs(self) -> dict[str, bytes]:
        return {blob_id(content): content for tree in self._state.trees.values() for content in tree.values()}

    def _queue(self, repository: str, branch: str) -> Json:
        entries = self._state.of(repository).queues.get(branch)
        if entries is None:
            return None
        return {"entries": connection([{**entry, "pullRequest": {"number": entry["number"]}} for entry in entries])}


def account(actor: Actor | None) -> Json:
    """null for one that was deleted."""
    if actor is None or actor.kind is ActorKind.GHOST:
        return None
    bot = actor.kind is ActorKind.BOT and actor.login.endswith("[bot]")
    return {"__typename": "Bot" if bot else "User", "login": actor.login.removesuffix("[bot]"), "databaseId": int(actor.id)}


def _review(id: str, review: Review) -> Json:
    return {
        "id": id,
        "state": "DISMISSED" if review.dismissed else review.state.value.upper(),
        "submittedAt": instant(review.submitted_at) if review.submitted_at else None,
        "commit": {"oid": review.commit_sha} if review.commit_sha else None,
        "author": account(review.user),
    }


def _dismissal(id: str, review: Review) -> Json:
    before = {ReviewState.APPROVED: "APPROVED", ReviewState.CHANGES_REQUESTED: "CHANGES_REQUESTED", ReviewState.COMMENTED: "COMMENTED"}
    return {"__typename": "ReviewDismissedEvent", "previousReviewState": before[review.state], "review": {"id": id}}


def _comment(comment: Any) -> Json:
    edited = instant(comment.created_at) if comment.edited else None
    return {"body": comment.body, "createdAt": instant(comment.created_at), "lastEditedAt": edited, "author": account(comment.user)}


def _run(run: Json) -> Json:
    return {
        "__typename": "CheckRun",
        "databaseId": run["id"],
        "name": run["name"],
        "status": run["status"].upper(),
        "conclusion": run["conclusion"].upper() if run.get("conclusion") else None,
        "detailsUrl": run.get("details_url"),
        "checkSuite": {"databaseId": run["check_suite"]["id"], "app": {"slug": run["app"]["slug"]}},
    }
