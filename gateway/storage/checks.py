"""What storage refuses before it writes, the same for every adapter: what one database keeps, every one must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.domain.dispatch import Dispatch
from gateway.domain.payload import encoded
from gateway.domain.record import ChangeRef, Decision, Generation, TrackedChange
from gateway.errors import ChangeMoved
from gateway.storage.keys import is_name
from gateway.storage.port import Seen, StoredBundle, StoredToken
from policies.canonical import digest, is_digest
from policies.model import Outcome


def storable(decision: Decision, facts: bytes) -> None:
    """Raises ValueError unless the decision names these facts, and has an id every database can hold."""
    if digest("facts", facts) != decision.input_digest:
        raise ValueError(f"decision {decision.id} names other facts than it came with")
    if not is_name(decision.id):
        raise ValueError("a decision's id is at most 191 printable characters")
    if decision.change is not None:
        if not is_name(decision.change.connection):
            raise ValueError("a connection's name is at most 191 printable characters")
        if not 0 <= decision.change.number < 2**63:
            raise ValueError("a change's number counts from 1")


def require_seen(known: TrackedChange | None, seen: Seen) -> None:
    """Raises ChangeMoved unless what is known is what was seen; an override is nobody's judgement, and may have come."""
    before = seen.change
    if known != before and (known is None or before is None or replace(known, override=before.override) != before):
        change = known or before
        assert change is not None, "two that differ are not both nothing"
        raise moved(change.ref)


def stands_as_seen(known: TrackedChange, seen: TrackedChange, *, giving: bool) -> bool:
    """Whether an override may be given beside the decision that was seen, or (not giving) the one that was seen be ended."""
    beside = known.decision_id == seen.decision_id if giving else known.override == seen.override
    return (known.ref, known.state) == (seen.ref, seen.state) and beside


def moved(ref: ChangeRef) -> ChangeMoved:
    """The error, in words."""
    return ChangeMoved(f"{ref.repository}#{ref.number} was judged by others meanwhile: judge again")


def nameable(token: StoredToken) -> None:
    """Raises ValueError for a token no database could look up."""
    if not is_name(token.name) or not is_name(token.hash):
        raise ValueError("a token's name is at most 191 printable characters, without blanks around it")


def dispatchable(dispatches: Iterable[Dispatch]) -> None:
    """Raises PayloadTooLarge for one no workflow could be given."""
    for dispatch in dispatches:
        encoded(dispatch.input, "the input")
        encoded(dispatch.payload, "the signal's payload")


def by_name(bundles: Sequence[StoredBundle]) -> list[StoredBundle]:
    """In the order in which they are in force. Raises ValueError for a name twice or a digest that is none."""
    ordered = sorted(bundles, key=lambda bundle: bundle.id.name)
    if len({bundle.id.name for bundle in ordered}) != len(ordered):
        raise ValueError("two bundles have the same name")
    for bundle in ordered:
        if not is_digest(bundle.id.digest):
            raise ValueError(f"bundle '{bundle.id.name}' has no digest")
    return ordered


def in_order(generation: Generation) -> None:
    """Raises ValueError unless its bundles are ordered by name, each once, with a name and a digest that can be kept."""
    names = [bundle.name for bundle in generation.bundles]
    if names != sorted(set(names)):
        raise ValueError("a generation's bundles are ordered by name, each once")
    for bundle in generation.bundles:
        if not is_name(bundle.name) or not is_digest(bundle.digest):
            raise ValueError(f"bundle '{bundle.name}' has no name or no digest that can be kept")


def digest_like(text: str) -> bool:
    """False for what cannot be the digest of anything kept."""
    return is_digest(text)


def admitted_first(changes: Sequence[TrackedChange]) -> list[TrackedChange]:
    """The order in which changes are judged again: what may be merged right now cannot wait behind what may not."""
    return sorted(changes, key=lambda change: change.outcome is not Outcome.ADMITTED)
