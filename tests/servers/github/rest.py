"""The REST side: one function for each operation, named by its method and path in GitHub's description.

Here are who asks and which repositories there are; the rest stands in the other `rest_` modules.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt

from providers.vcs.memory.state import StoredRepository
from providers.vcs.port import ChangeKey
from tests.servers.github import documents
from tests.servers.github.openapi import Operation
from tests.servers.github.rules import on_branch
from tests.servers.github.state import GithubState, Identity, StoredApp

Json = Any
TOKEN_SECONDS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, once it is known who asks. `app`: it came with an App's own JWT."""

    identity: Identity
    app: StoredApp | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer. A list is cut into pages; `key`: it stands in this field, beside how long it is."""

    status: int = 200
    body: Json = None
    items: Sequence[Json] | None = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Rendered(Sequence[Json]):
    """A list of which only the page that is asked for is written."""

    def __init__(self, things: Sequence[Any], render: Callable[[Any], Json]) -> None:
        self._things, self._render = things, render

    def __len__(self) -> int:
        return len(self._things)

    def __getitem__(self, place: Any) -> Any:
        chosen = self._things[place]
        return [self._render(one) for one in chosen] if isinstance(place, slice) else self._render(chosen)


Handler = Callable[[GithubState, Asked], Said]
OPERATIONS: dict[Operation, Handler] = {}


def serves(method: str, template: str) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        OPERATIONS[Operation(method, template)] = handler
        return handler

    return keep


def refused(status: int, message: str) -> Said:
    return Said(status=status, body={"message": message, "documentation_url": "https://docs.github.com/rest"})


def gone() -> Said:
    return refused(404, "Not Found")


def stored(state: GithubState, asked: Asked) -> StoredRepository:
    """The repository a path names. Raises NotFound."""
    return state.forge.world.repository(f"{asked.path['owner']}/{asked.path['repo']}")


def key_of(state: GithubState, asked: Asked) -> ChangeKey:
    """The pull request a path names. Raises NotFound."""
    key = ChangeKey(repository=stored(state, asked).name, number=int(asked.path["pull_number"]))
    state.forge.world.change(key)
    return key


# --- who asks ---------------------------------------------------------------------------------------


@serves("GET", "/user")
def own_user(state: GithubState, asked: Asked) -> Said:
    if asked.identity.app_id is not None:
        return refused(403, "Resource not accessible by integration")
    return Said(body={**documents.user(state.forge.world.account(asked.identity.login)), "user_view_type": "public"})


@serves("GET", "/app")
def own_app(state: GithubState, asked: Asked) -> Said:
    app = asked.app
    assert app is not None
    body = {"id": app.id, "slug": app.slug, "name": app.slug, "permissions": app.permissions, "events": app.events}
    return Said(body={**body, "external_url": "https://gate.test/", "owner": documents.user(state.forge.world.account("acme"))})


def _installation(state: GithubState, app: StoredApp) -> Json:
    return {
        "id": app.installation_id,
        "app_id": app.id,
        "app_slug": app.slug,
        "account": documents.user(state.forge.world.account("acme")),
        "permissions": app.permissions,
        "events": app.events,
        "target_type": "Organization",
        "repository_selection": "all",
        "suspended_at": None,
    }


@serves("GET", "/app/installations")
def installations(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    return Said(items=[_installation(state, asked.app)] if asked.app.installed else [])


@serves("GET", "/app/installations/{installation_id}")
def installation(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    known = asked.app.installed and asked.path["installation_id"] == str(asked.app.installation_id)
    return Said(body=_installation(state, asked.app)) if known else gone()


@serves("POST", "/app/installations/{installation_id}/access_tokens")
def issue_token(state: GithubState, asked: Asked) -> Said:
    app = asked.app
    assert app is not None
    if not app.installed or asked.path["installation_id"] != str(app.installation_id):
        return gone()
    token = f"ghs_{app.id}_{uuid.uuid4().hex}" + "x" * 400  # they are no longer forty characters
    ends = time.time() + TOKEN_SECONDS
    state.tokens[token] = Identity(login=f"{app.slug}[bot]", app_id=app.id, ends=ends)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    return Said(status=201, body={"token": token, "expires_at": moment, "permissions": app.permissions, "repository_selection": "all"})


@serves("GET", "/users/{username}")
def one_user(state: GithubState, asked: Asked) -> Said:
    found = state.forge.world.accounts.get(asked.path["username"])
    return Said(body={**documents.user(found), "user_view_type": "public"}) if found is not None else gone()


@serves("GET", "/app/hook/config")
def hook_config(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    return Said(body={name: value for name, value in asked.app.hook.items() if name != "secret"})


@serves("PATCH", "/app/hook/config")
def set_hook_config(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    asked.app.hook.update(asked.body)
    return hook_config(state, asked)


@serves("GET", "/rate_limit")
def rate_limit(state: GithubState, asked: Asked) -> Said:
    one = {"limit": 5000, "remaining": 4987, "used": 13, "reset": int(time.time()) + 1800}
    return Said(body={"resources": {"core": one, "search": one, "graphql": {**one, "remaining": 4999}}, "rate": one})


@serves("GET", "/meta")
def meta(state: GithubState, asked: Asked) -> Said:
    enterprise = {"installed_version": state.edition.removeprefix("ghes-") + ".2"} if state.edition.startswith("ghes") else {}
    return Said(body={"verifiable_password_authentication": False, **enterprise})


# --- repositories -----------------------------------------------------------------------------------


@serves("GET", "/repos/{owner}/{repo}")
def one_repository(state: GithubState, asked: Asked) -> Said:
    return Said(body=documents.repository(state, stored(state, asked), asked.identity))


def _all_repositories(state: GithubState, asked: Asked) -> list[Json]:
    found = sorted(state.forge.world.repositories.values(), key=lambda repository: repository.name)
    return [documents.repository(state, one, asked.identity) for one in found]


@serves("GET", "/user/repos")
def own_repositories(state: GithubState, asked: Asked) -> Said:
    return Said(items=_all_repositories(state, asked))


@serves("GET", "/installation/repositories")
def installed_repositories(state: GithubState, asked: Asked) -> Said:
    return Said(items=_all_repositories(state, asked), key="repositories")


@serves("GET", "/repos/{owner}/{repo}/branches/{branch}")
def branch(state: GithubState, asked: Asked) -> Said:
    repository, name = stored(state, asked), asked.path["branch"]
    if name not in repository.branches:
        return refused(404, "Branch not found")
    protected = bool(on_branch(state.of(repository.name), name)) or name in state.of(repository.name).protections
    return Said(body={"name": name, "commit": {"sha": repository.branches[name]}, "protected": protected})


def identified_app(state: GithubState, token: str) -> StoredApp | None:
    """The App a JWT is signed by, if it is one that is good now."""
    for app in state.apps.values():
        try:
            jwt.decode(token, app.public_key, algorithms=["RS256"], issuer=str(app.id))
        except jwt.PyJWTError:
            continue
        return app
    return None
