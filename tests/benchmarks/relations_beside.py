"""What both sides of the gateway's benchmark are asked about: about 5,000 tuples of the starter model, in a file and in a real OpenFGA.

In two worlds, since what a server has to look up depends on them more than on anything else. In `FLAT` accounts are members of
teams. In `NESTED` teams are parts of divisions, and the members are people, each with an account, as the starter model advises.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from policies.relations.dsl import parse_model
from policies.relations.json_form import model_to_json
from policies.relations.starter import starter_text
from tests.servers.openfga import running_openfga

MEMBERS, REPOSITORIES, ORGANISATIONS, DIVISIONS = 20, 300, 5, 9

RULES = """\

questions contains admit.question(input.change.author.ref, "writer", input.change.repository.ref)

questions contains admit.question(input.change.author.ref, "owner", input.change.repository.ref)

questions contains admit.question(review.user.ref, "owner", input.change.repository.ref) if some review in input.change.reviews

deny contains "the author may not write" if not admit.related(input.change.author.ref, "writer", input.change.repository.ref)

deny contains "no owner approved" if not owner_approved

owner_approved if admit.related(input.change.author.ref, "owner", input.change.repository.ref)

owner_approved if {
	some review in input.change.reviews
	admit.related(review.user.ref, "owner", input.change.repository.ref)
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository's number, and those of an owner and a writer of it: accounts `user:work/<number>`."""

    repository: str
    owner: str
    writer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Tuples, and of each repository who owns and who writes it; each team looks after a few."""

    name: str
    tuples: Sequence[dict[str, str]]
    places: Sequence[Place]


def _flat(teams: int) -> World:
    """One team owns a repository and another writes it."""
    found = _organised(teams)
    for team, place in itertools.product(range(teams), range(MEMBERS)):
        found.append(_tuple(f"user:work/{team + teams * place}", "member", f"team:{team}"))
    places = [_place(repository, (repository - 4) % teams, (repository - 5) % teams) for repository in range(REPOSITORIES)]
    for repository, place in enumerate(places):
        found += _looked_after(repository, f"team:{place.owner}", f"team:{place.writer}")
    return World(name="teams of accounts", tuples=found, places=places)


def _nested(teams: int) -> World:
    """One team owns a repository, and a division writes it: the first of its teams' people are asked about."""
    found = _organised(teams)
    for division in range(DIVISIONS):
        found.append(_tuple(f"organization:{division % ORGANISATIONS}", "organization", f"team:division-{division}"))
    for team in range(teams):
        found.append(_tuple(f"team:{team}#member", "member", f"team:division-{team % DIVISIONS}"))
        for person in range(team, teams * MEMBERS, teams):
            found.append(_tuple(f"person:{person}#account", "member", f"team:{team}"))
            found.append(_tuple(f"user:work/{person}", "account", f"person:{person}"))
    places = [_place(repository, (repository - 4) % teams, (repository - 5) % DIVISIONS) for repository in range(REPOSITORIES)]
    for repository, place in enumerate(places):
        found += _looked_after(repository, f"team:{place.owner}", f"team:division-{place.writer}")
    return World(name="people in teams within teams", tuples=found, places=places)


def _organised(teams: int) -> list[dict[str, str]]:
    owners = [_tuple(f"user:work/{owner}", "owner", f"organization:{owner}") for owner in range(ORGANISATIONS)]
    return owners + [_tuple(f"organization:{team % ORGANISATIONS}", "organization", f"team:{team}") for team in range(teams)]


def _place(repository: int, owner: int, writer: int) -> Place:
    return Place(repository=str(repository), owner=str(owner), writer=str(writer))


def _looked_after(repository: int, owner: str, writer: str) -> Iterator[dict[str, str]]:
    object = f"repository:work/{repository}"
    yield _tuple(f"organization:{repository % ORGANISATIONS}", "organization", object)
    yield _tuple(f"{owner}#member", "owner", object)
    yield _tuple(f"{writer}#member", "writer", object)


def _tuple(user: str, relation: str, object: str) -> dict[str, str]:
    return {"user": user, "relation": relation, "object": object}


FLAT, NESTED = _flat(195), _nested(95)


def write_store_file(folder: Path, world: World = FLAT) -> Path:
    """The model and the tuples as OpenFGA's store file."""
    path = folder / "store.fga.yaml"
    path.write_text(yaml.safe_dump({"name": "bench", "model": starter_text(), "tuples": list(world.tuples)}))
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A store of a running OpenFGA that holds them."""

    api_url: str
    store_id: str
    model_id: str

    @property
    def setting(self) -> dict[str, Any]:
        """For `admit.yaml`."""
        return {"openfga": {"api_url": self.api_url, "store_id": self.store_id, "model_id": self.model_id}}

    @property
    def environment(self) -> dict[str, str]:
        """For the hand-written service."""
        return {"BY_HAND_OPENFGA": f"{self.api_url}/stores/{self.store_id}", "BY_HAND_MODEL": self.model_id}


@contextmanager
def served(options: Sequence[str] = (), *, world: World = FLAT, postgresql: str | None = None) -> Iterator[Served]:
    """A real OpenFGA, its store in memory, or in this empty database."""
    with running_openfga(*options, postgresql=postgresql) as openfga:
        store = openfga.store(model_to_json(parse_model(starter_text())))
        store.write(world.tuples)
        yield Served(api_url=openfga.url, store_id=store.id, model_id=store.model_id)


CACHING = ("--check-query-cache-enabled", "--check-query-cache-ttl=1h", "--check-cache-limit=100000")
