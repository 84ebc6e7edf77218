"""Merge trains (Premium): merge requests that are tried and merged in a row, each on top of those before it.

A train's pipeline runs on a commit of its own, under `refs/merge-requests/N/train`: what it holds is the merge request N and
all before it on the train, so that is who belongs to its group. https://docs.gitlab.com/api/merge_trains/
"""

from __future__ import annotations

import re

from providers.errors import AccessRefused, TornFacts, Unreachable, Unsupported
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import GitLabClient, TokenRefused, path_of
from providers.vcs.port import ChangeKey, MergeGroup

_REF = re.compile(r"refs/merge-requests/([1-9][0-9]{0,9})/train", re.ASCII)


def number_on_train(ref: str) -> int | None:
    """The merge request a train's ref is made for; None for any other ref."""
    match = _REF.fullmatch(ref)
    return int(match.group(1)) if match is not None else None


async def members(client: GitLabClient, group: MergeGroup) -> tuple[ChangeKey, ...]:
    """Who is on the train up to this head, in the order they land. Raises as the port says."""
    number = number_on_train(group.ref)
    if number is None:
        raise TornFacts(f"'{group.ref}' is no merge train's ref")
    path = path_of("projects", group.repository, "merge_trains", group.branch)
    try:
        cars = await client.everything(path, scope="active", sort="asc")
        return _up_to(number, group, sorted(cars, key=lambda car: car.number("id")))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    except TokenRefused:
        raise
    except AccessRefused as refused:
        raise Unsupported(f"{refused}: this project has no merge trains") from refused


def _up_to(number: int, group: MergeGroup, cars: list[Document]) -> tuple[ChangeKey, ...]:
    found = []
    for car in cars:
        found.append(ChangeKey(repository=group.repository, number=car.document("merge_request").number("iid")))
        if found[-1].number != number:
            continue
        pipeline = car.document_or_none("pipeline")
        if pipeline is None or pipeline.text("sha") != group.head_sha:
            raise TornFacts(f"the train's head for merge request {number} is no longer {group.head_sha[:12]}")
        return tuple(found)
    raise TornFacts(f"merge request {number} is no longer on the train to '{group.branch}'")
