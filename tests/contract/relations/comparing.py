"""One question to both evaluators, and what to make of two answers that differ.

Every tolerated difference is one where the server contradicts itself, drops a fault that bears on the
answer, or answers by which of its goroutines happens to be first. A yes of ours against a no of the
server is tolerated only where the server itself says yes when asked in another way.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from policies.errors import RelationsRefused
from policies.relations.evaluator import Evaluator
from policies.relations.proof import tuples
from policies.relations.refusals import ConditionFailed
from policies.relations.store_file import tuple_from_json
from tests.contract.relations.worlds import Asked
from tests.servers.openfga import Refusal, Store

Ours = bool | list[str] | RelationsRefused
Theirs = bool | list[str] | Refusal


class Agreement(StrEnum):
    """How two answers compare. Only DIFFERENT fails."""

    SAME = "the same answer"
    BOTH_REFUSE = "both refuse"
    DROPPED_FAULT = "the server drops a condition's fault because another tuple of the relation holds, or because it met a circle"
    READ_FROM_THE_OTHER_END = (
        "the server's plan reads from the user's side and stumbles over a condition that does not bear on the question"
    )
    CIRCLE = "we say no for a circle under 'and' or 'but not', where the server's answer is that of whatever is done first"
    EVERYBODY_BUT_NOT_YOU = (
        "a user and user:*, either with a condition: yes asked directly, no through a userset, where the server looks at one"
    )
    ITS_LIST_AGREES = "the server's check contradicts its own list of users, which agrees with us"
    ITS_CHECK_AGREES = "the server's list contradicts its own check, which agrees with us"
    OBJECTS_AS_USERSETS = "asked for usersets, the server also lists plain objects of the type"
    DIFFERENT = "different answers"


def our_answer(evaluator: Evaluator, asked: Asked) -> Ours:
    contextual = [tuple_from_json(one) for one in asked.contextual]
    try:
        if asked.kind == "objects":
            listing = evaluator.objects(asked.user, asked.relation, asked.object, context=asked.context, contextual=contextual)
            return list(listing.names)
        if asked.kind == "users":
            kind, _, relation = asked.user.partition("#")
            users = evaluator.users(asked.object, asked.relation, kind, relation or None, context=asked.context, contextual=contextual)
            return list(users.names)
        return evaluator.proof(asked.user, asked.relation, asked.object, context=asked.context, contextual=contextual) is not None
    except RelationsRefused as refusal:
        return refusal


def no_for_a_circle(evaluator: Evaluator, asked: Asked) -> bool:
    """Do we say no to this check having met a circle?"""
    check = evaluator.check(asked.user, context=asked.context, contextual=[tuple_from_json(one) for one in asked.contextual])
    return check.proof(asked.relation, asked.object) is None and check.went_round


def public_beside_a_condition(evaluator: Evaluator, store: Store, asked: Asked) -> bool:
    """Does our yes rest on the user's tuple or everybody's, beside the other one with a condition, and does the server agree there?"""
    contextual = [tuple_from_json(one) for one in asked.contextual]
    proof = evaluator.proof(asked.user, asked.relation, asked.object, context=asked.context, contextual=contextual)
    either = {asked.user, f"{asked.user.partition(':')[0]}:*"}
    for one in tuples(proof) if proof else ():
        others = {(one.object, one.relation, user) for user in either - {one.user}}
        beside = [each for each in (*evaluator.tuples, *contextual) if each.key in others and each.condition]
        there = replace(asked, kind="check", relation=one.relation, object=one.object)
        if one.user in either and beside and their_answer(store, there) is True:
            return True
    return False


def listed_by_them(store: Store, asked: Asked) -> bool | None:
    """Is the user of this check in the server's list of users, by name or with everybody? None where it does not list."""
    object, _, relation = asked.user.partition("#")
    kind = object.partition(":")[0]
    found = their_answer(store, replace(asked, kind="users", user=f"{kind}#{relation}" if relation else kind))
    return None if isinstance(found, Refusal) else asked.user in found or f"{kind}:*" in found


def their_answer(store: Store, asked: Asked) -> Theirs:
    along = {"context": asked.context, "contextual": asked.contextual}
    if asked.kind == "objects":
        return store.objects(asked.user, asked.relation, asked.object, **along)
    if asked.kind == "users":
        kind, _, relation = asked.user.partition("#")
        return store.users(asked.object, asked.relation, kind, relation or None, **along)
    return store.check(asked.user, asked.relation, asked.object, **along)


def compared(evaluator: Evaluator, store: Store, asked: Asked, ours: Ours, theirs: Theirs) -> Agreement:
    match ours, theirs:
        case RelationsRefused(), Refusal():
            return Agreement.BOTH_REFUSE
        case ConditionFailed(), _:
            return Agreement.DROPPED_FAULT
        case ((bool() | list()), Refusal(message=message)) if "evaluate relationship condition" in message:
            return Agreement.READ_FROM_THE_OTHER_END
        case bool(), bool():
            return _compared_checks(evaluator, store, asked, ours, theirs)
        case list(), list():
            return _compared_lists(evaluator, store, asked, ours, theirs)
    return Agreement.DIFFERENT


def _compared_checks(evaluator: Evaluator, store: Store, asked: Asked, ours: bool, theirs: bool) -> Agreement:
    if ours == theirs:
        return Agreement.SAME
    if not ours and no_for_a_circle(evaluator, asked):
        return Agreement.CIRCLE
    if ours and public_beside_a_condition(evaluator, store, asked):
        return Agreement.EVERYBODY_BUT_NOT_YOU
    if listed_by_them(store, asked) is ours:
        return Agreement.ITS_LIST_AGREES
    return Agreement.DIFFERENT


def _compared_lists(evaluator: Evaluator, store: Store, asked: Asked, ours: list[str], theirs: list[str]) -> Agreement:
    if ours == theirs:
        return Agreement.SAME
    more, less = set(ours) - set(theirs), set(theirs) - set(ours)
    if asked.kind == "users" and "#" in asked.user and not more and not any("#" in name for name in less):
        return Agreement.OBJECTS_AS_USERSETS
    found = {_listed(evaluator, store, asked, name, ours=name in more) for name in more | less}
    return Agreement.DIFFERENT if Agreement.DIFFERENT in found else min(found)


def _listed(evaluator: Evaluator, store: Store, asked: Asked, name: str, *, ours: bool) -> Agreement:
    """What the server's own check says to a name only one of the lists has."""
    user, object = (asked.user, name) if asked.kind == "objects" else (name, asked.object)
    check = replace(asked, kind="check", user=user, object=object)
    theirs = their_answer(store, check)
    assert isinstance(theirs, bool)
    agreement = _compared_checks(evaluator, store, check, ours, theirs)
    return Agreement.ITS_CHECK_AGREES if agreement is Agreement.SAME else agreement
