"""The relationships both sides of the gateway's benchmark are asked about: about 5,000 tuples, in a file and in a real OpenFGA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from policies.relations.dsl import parse_model
from policies.relations.json_form import model_to_json
from tests.servers.openfga import running_openfga

MODEL = """\
model
  schema 1.1

type user

type team
  relations
    define member: [user]

type repository
  relations
    define owner: [user, team#member]
    define writer: [user, team#member] or owner
"""

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
    """Teams that own and write repositories; the one asked about among them."""
    found = [
        {"user": f"user:work/{team * 40 + place}", "relation": "member", "object": f"team:{team}"}
        for team in range(100)
        for place in range(40)
    ]
    for repository in range(500):
        found.append({"user": f"team:{repository % 100}#member", "relation": "owner", "object": f"repository:work/{repository}"})
        found.append({"user": f"team:{(repository + 1) % 100}#member", "relation": "writer", "object": f"repository:work/{repository}"})
    own = [("user:work/7", "writer"), ("user:work/8", "owner")]
    return found + [{"user": user, "relation": relation, "object": "repository:work/12"} for user, relation in own]


def write_store_file(folder: Path) -> Path:
    """The model and the tuples as OpenFGA's store file."""
    path = folder / "store.fga.yaml"
    path.write_text(yaml.safe_dump({"name": "bench", "model": MODEL, "tuples": tuples()}))
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
def served(options: Sequence[str] = ()) -> Iterator[Served]:
    """A real OpenFGA, its store in memory."""
    with running_openfga(*options) as openfga:
        store = openfga.store(model_to_json(parse_model(MODEL)))
        store.write(tuples())
        yield Served(api_url=openfga.url, store_id=store.id, model_id=store.model_id)


CACHING = ("--check-query-cache-enabled", "--check-query-cache-ttl=1h", "--check-cache-limit=100000")
