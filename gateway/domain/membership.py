"""What a forge says of who belongs to what, as relationship tuples of the starter model. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from policies.relations import RelationshipTuple
from providers.vcs import Actor, Holder, Organization, OrganizationMembers, RepositoryMembers, Team


def repository_tuples(found: RepositoryMembers) -> frozenset[RelationshipTuple]:
    """Whose it is, and who has which role on it."""
    return frozenset(_of_repository(found))


def organization_tuples(found: OrganizationMembers) -> frozenset[RelationshipTuple]:
    """Its owners and members, its teams and theirs."""
    return frozenset(_of_organization(found))


def repository_names(found: RepositoryMembers) -> dict[str, str]:
    """Ref → what the forge calls it, of everything in its tuples."""
    holders = [grant.holder for grant in found.grants]
    organizations = [found.organization] if found.organization is not None else []
    return {found.repository.ref: found.repository.name, **_names([*holders, *organizations])}


def organization_names(found: OrganizationMembers) -> dict[str, str]:
    """As of a repository."""
    inside = [actor for team in found.teams for actor in (*team.members, *team.maintainers)]
    return _names([found.organization, *found.owners, *found.members, *(team.team for team in found.teams), *inside])


def _names(holders: Iterable[Holder]) -> dict[str, str]:
    return {holder.ref: holder.login if isinstance(holder, Actor) else holder.name for holder in holders}


def _of_repository(found: RepositoryMembers) -> Iterator[RelationshipTuple]:
    repository = found.repository.ref
    if found.organization is not None:
        yield _tuple(repository, "organization", found.organization.ref)
    for grant in found.grants:
        yield _tuple(repository, grant.role.value, _users(grant.holder))
    if found.public:
        yield _tuple(repository, "reader", "user:*")


def _of_organization(found: OrganizationMembers) -> Iterator[RelationshipTuple]:
    organization = found.organization.ref
    for actor in found.owners:
        yield _tuple(organization, "owner", actor.ref)
    for actor in found.members:
        yield _tuple(organization, "member", actor.ref)
    for inside in found.teams:
        yield _tuple(inside.team.ref, "organization", organization)
        for actor in inside.members:
            yield _tuple(inside.team.ref, "member", actor.ref)
        for actor in inside.maintainers:
            yield _tuple(inside.team.ref, "maintainer", actor.ref)


def _users(holder: Holder) -> str:
    match holder:
        case Actor(ref=ref):
            return ref
        case Team(ref=ref) | Organization(ref=ref):
            return f"{ref}#member"
    assert_never(holder)


def _tuple(object: str, relation: str, user: str) -> RelationshipTuple:
    return RelationshipTuple(object=object, relation=relation, user=user)
