"""A forge in memory as GitHub's REST writes it: what the facts are; the rest of each document is filled in by its description."""

from __future__ import annotations

from typing import Any

from providers.vcs.membership import Role
from providers.vcs.memory.facts import facts
from providers.vcs.memory.state import StoredRepository
from providers.vcs.model import Actor, ActorKind, ChangedFile, ChangeState
from providers.vcs.port import ChangeKey
from tests.servers.github.state import GithubState, Identity, blob_id, instant

Json = Any

_PERMISSIONS = ("pull", "triage", "push", "maintain", "admin")
_RANK = {Role.READER: 1, Role.TRIAGER: 2, Role.WRITER: 3, Role.MAINTAINER: 4, Role.OWNER: 5}


def user(actor: Actor) -> Json:
    """A simple user; a deleted account is GitHub's own `ghost`."""
    if actor.kind is ActorKind.GHOST:
        return {"login": "ghost", "id": 10137, "type": "User"}
    bot = actor.kind is ActorKind.BOT and actor.login.endswith("[bot]")
    return {"login": actor.login, "id": int(actor.id), "type": "Bot" if bot else "User"}


def permissions(role: Role | None) -> Json:
    rank = _RANK.get(role, 0) if role is not None else 0
    return {name: index < rank for index, name in enumerate(_PERMISSIONS)}


def repository(state: GithubState, stored: StoredRepository, identity: Identity) -> Json:
    owner, _, name = stored.name.partition("/")
    world, private = state.forge.world, state.of(stored.name).private
    organization = world.organizations.get(owner.lower())
    holder = {"login": owner, "id": int(organization.id), "type": "Organization"} if organization else user(world.account(owner))
    role = Role.OWNER if identity.login == owner else Role.WRITER if identity.may_write else Role.READER
    return {
        "id": int(stored.id),
        "name": name,
        "full_name": stored.name,
        "owner": holder,
        "private": private,
        "visibility": "private" if private else "public",
        "default_branch": "main",
        "html_url": f"{state.url}/{stored.name}",
        "permissions": permissions(role),
    }


def pull(state: GithubState, key: ChangeKey, identity: Identity, *, whole: bool) -> Json:
    """A pull request; `whole`: with what only one that is asked for by itself has."""
    world = state.forge.world
    change = facts(world, key)
    stored = world.repository(key.repository)
    merged = change.state is ChangeState.MERGED
    source = world.repositories.get((change.head.repository or "").lower())
    base = repository(state, stored, identity)
    stack = state.of(stored.name).stacks.get(key.number)
    found = {
        "id": int(stored.id) * 100_000 + key.number,
        "number": change.number,
        "html_url": f"{state.url}/{stored.name}/pull/{change.number}",
        "title": change.title,
        "body": change.body,
        "user": user(change.author),
        "labels": [{"id": 1, "name": name, "color": "ededed", "default": False, "description": ""} for name in change.labels],
        "draft": change.draft,
        "state": "open" if change.state is ChangeState.OPEN else "closed",
        "head": {
            "label": f"{(change.head.repository or 'unknown/').partition('/')[0]}:{change.head.ref}",
            "ref": change.head.ref,
            "sha": change.head.sha,
            "user": user(change.author),
            "repo": repository(state, source, identity) if source is not None else None,
        },
        "base": {
            "label": f"{stored.name.partition('/')[0]}:{change.base.ref}",
            "ref": change.base.ref,
            "sha": change.base.sha or "0" * 40,
            "user": base["owner"],
            "repo": base,
        },
        "created_at": instant(change.created_at),
        "updated_at": instant(change.updated_at),
        "closed_at": None if change.state is ChangeState.OPEN else instant(change.updated_at),
        "merged_at": instant(change.updated_at) if merged else None,
        "merge_commit_sha": change.merged_sha,
        **({"stack": stack} if stack is not None else {}),
    }
    if whole:
        found |= {
            "merged": merged,
            "mergeable": change.mergeable,
            "mergeable_state": "clean",
            "merged_by": user(change.merged_by) if change.merged_by else None,
            "commits": len(change.commits),
            "changed_files": len(change.files),
            "additions": 0,
            "deletions": 0,
        }
    return found


def file(state: GithubState, key: ChangeKey, sha: str, changed: ChangedFile) -> Json:
    content = state.forge.world.objects.tree(sha).get(changed.path, b"")
    address = f"{state.url}/api/v3/repos/{key.repository}/contents/{changed.path}?ref={sha}"
    renamed = {"previous_filename": changed.previous_path} if changed.previous_path else {}
    return {
        "sha": blob_id(content),
        "filename": changed.path,
        "status": changed.status.value,
        "additions": changed.additions or 0,
        "deletions": changed.deletions or 0,
        "changes": (changed.additions or 0) + (changed.deletions or 0),
        "contents_url": address,
        "blob_url": address,
        "raw_url": address,
        **renamed,
    }


def check_run(state: GithubState, run: Json) -> Json:
    """Without what it keeps for itself."""
    return {name: value for name, value in run.items() if not name.startswith("_")}
