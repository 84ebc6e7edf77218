"""What both sides of the gateway's benchmark are asked about: 5,000 tuples of the starter model, in a file and in a real OpenFGA."""

from __future__ import annotations

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

TEAMS, MEMBERS, REPOSITORIES, ORGANISATIONS = 195, 20, 300, 5

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


def tuples() -> list[dict[str, str]]:
    """5,000 of the starter model: teams of an organisation, and its repositories, which one team owns and another writes."""
    found = [_tuple(f"user:work/{owner}", "owner", f"organization:{owner}") for owner in range(ORGANISATIONS)]
    for team in range(TEAMS):
        found.append(_tuple(f"organization:{team % ORGANISATIONS}", "organization", f"team:{team}"))
        found += [_tuple(f"user:work/{team + TEAMS * place}", "member", f"team:{team}") for place in range(MEMBERS)]
    for repository in range(REPOSITORIES):
        there, object = place(repository), f"repository:work/{repository}"
        found.append(_tuple(f"organization:{repository % ORGANISATIONS}", "organization", object))
        found.append(_tuple(f"team:{there.owner}#member", "owner", object))
        found.append(_tuple(f"team:{there.writer}#member", "writer", object))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository's number, and those of an owner and a writer of it: each the first of the team of the same number."""

    repository: str
    owner: str
    writer: str


def place(repository: int) -> Place:
    """Teams look after one repository or two."""
    return Place(repository=str(repository), owner=str((repository - 4) % TEAMS), writer=str((repository - 5) % TEAMS))


def _tuple(user: str, relation: str, object: str) -> dict[str, str]:
    return {"user": user, "relation": relation, "object": object}


def write_store_file(folder: Path) -> Path:
    """The model and the tuples as OpenFGA's store file."""
    path = folder / "store.fga.yaml"
    path.write_text(yaml.safe_dump({"name": "bench", "model": starter_text(), "tuples": tuples()}))
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
def served(options: Sequence[str] = (), *, postgresql: str | None = None) -> Iterator[Served]:
    """A real OpenFGA, its store in memory, or in this empty database."""
    with running_openfga(*options, postgresql=postgresql) as openfga:
        store = openfga.store(model_to_json(parse_model(starter_text())))
        store.write(tuples())
        yield Served(api_url=openfga.url, store_id=store.id, model_id=store.model_id)


CACHING = ("--check-query-cache-enabled", "--check-query-cache-ttl=1h", "--check-cache-limit=100000")
