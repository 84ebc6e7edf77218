"""The server's limits, found out by asking a real one, and kept here."""

from __future__ import annotations

import pytest

from policies.errors import RelationsRefused
from policies.relations.dsl import parse_model
from policies.relations.evaluator import MOST_CONTEXTUAL, Evaluator
from policies.relations.json_form import model_to_json
from policies.relations.names import LONGEST_OBJECT, LONGEST_RELATION, LONGEST_USER
from policies.relations.refusals import QuestionRefused, TooDeep, TupleRefused
from policies.relations.soundness import MOST_TYPES
from policies.relations.store_file import tuple_from_json
from policies.relations.tuples import LARGEST_CONTEXT, refuse_unwritable
from tests.servers.openfga import Refusal, session_openfga

MODEL = parse_model("""
model
  schema 1.1
type user
type team
  relations
    define parent: [team]
    define member: [user, user:*, team#member, user with told]
    define reader: member or reader from parent
condition told(text: string) {
  text != ""
}
""")


@pytest.fixture(scope="module")
def store():
    return session_openfga().store(model_to_json(MODEL))


def tuples(*written):
    """`object#relation@user` as the server's JSON."""
    return [
        dict(zip(("object", "relation", "user"), [*text.split("@")[0].rsplit("#", 1), text.split("@", 1)[1]], strict=True))
        for text in written
    ]


def along(store_, written, user, relation, object):
    """The question with its tuples given along, to both: two answers, or whether each refuses."""
    evaluator = Evaluator(MODEL, ())
    try:
        ours = evaluator.proof(user, relation, object, contextual=[tuple_from_json(one) for one in written]) is not None
    except RelationsRefused as refusal:
        ours = refusal
    return ours, store_.check(user, relation, object, contextual=written)


def members(length):
    """A chain of teams, each a member of the one before, a person at the end."""
    return tuples(*(f"team:{n}#member@team:{n + 1}#member" for n in range(length)), f"team:{length}#member@user:ana")


def parents(length):
    """A chain of teams, each below the next, a person at the end."""
    return tuples(*(f"team:{n}#parent@team:{n + 1}" for n in range(length)), f"team:{length}#member@user:ana")


@pytest.mark.parametrize(("chain", "relation"), [(members, "member"), (parents, "reader")], ids=["usersets", "parents"])
def test_25_steps_are_too_many_and_24_are_not(store, chain, relation):
    """A chain is followed as far as the server follows it, and beyond that both refuse.

    At 25 itself the server's two ways of following usersets differ from each other, so there only ours is asked.
    """
    for length in (1, 23, 24):
        assert along(store, chain(length), "user:ana", relation, "team:0") == (True, True), length
    for length in (26, 27, 40):
        ours, theirs = along(store, chain(length), "user:ana", relation, "team:0")
        assert isinstance(ours, TooDeep), length
        assert isinstance(theirs, Refusal), length
    assert isinstance(along(store, chain(25), "user:ana", relation, "team:0")[0], TooDeep)


def test_a_long_chain_beside_a_short_one_does_not_matter(store):
    """What lies too deep is no fault where the answer is found otherwise."""
    ours, theirs = along(store, [*members(40), *tuples("team:0#member@user:bob")], "user:bob", "member", "team:0")
    assert (ours, theirs) == (True, True)


def test_100_tuples_go_along_with_a_question_and_101_do_not(store):
    """The hundred and first contextual tuple refuses the question."""
    many = tuples(*(f"team:{n}#member@user:ana" for n in range(MOST_CONTEXTUAL + 1)))
    assert along(store, many[:-1], "user:ana", "member", "team:5") == (True, True)
    ours, theirs = along(store, many, "user:ana", "member", "team:5")
    assert isinstance(ours, QuestionRefused)
    assert isinstance(theirs, Refusal)


@pytest.mark.parametrize(
    "written",
    [
        "team:1#member@team:2",
        "team:1#parent@team:2#member",
        "team:1#parent@team:*",
        "team:1#reader@user:ana",
        "team:1#owner@user:ana",
        "group:1#member@user:ana",
        "team:1#member@robot:1",
        "team:1#member@user",
        "team#member@user:ana",
        "team:*#member@user:ana",
        "team:1#member@*",
    ],
)
def test_a_contextual_tuple_the_model_does_not_allow_is_refused(store, written):
    """Both refuse the question that brings it along."""
    try:
        ours, theirs = along(store, tuples(written), "user:ana", "member", "team:1")
    except TupleRefused as refusal:
        ours, theirs = refusal, store.check("user:ana", "member", "team:1", contextual=tuples(written))
    assert isinstance(ours, TupleRefused)
    assert isinstance(theirs, Refusal)


@pytest.mark.parametrize(
    "user",
    [
        "user:ana",
        "user:*",
        "team:1#member",
        "user:ana@example.org",
        "user:a*b",
        "user:a,b",
        "user:ärger",
        "user:\N{GRINNING FACE}",
        "user:" + "a" * (LONGEST_USER - 5),
        "user:" + "a" * (LONGEST_USER - 4),
        "user:" + "a" * 10_000,
        "user:",
        "user",
        ":ana",
        "",
        "*",
        "user:ana#",
        "#member",
        "user:a:b",
        "user:a#b#c",
        "user:a b",
        " user:a",
        "user:a\tb",
        "user:a\nb",
        "user:a\x01b",
        "team:*#member",
        "team:1#member:x",
        "team:1#nobody",
        "robot:1",
    ],
)
def test_a_user_is_asked_about_or_refused_as_by_the_server(store, user):
    """Names of users are taken and refused alike: odd characters, usersets, everybody, and too long ones."""
    ours, theirs = along(store, [], user, "member", "team:9")
    assert isinstance(ours, RelationsRefused) == isinstance(theirs, Refusal), (ours, theirs)


@pytest.mark.parametrize(
    ("relation", "object"),
    [
        ("member", "team:1"),
        ("member", "team:" + "a" * (LONGEST_OBJECT - 5)),
        ("member", "team:" + "a" * (LONGEST_OBJECT - 4)),
        ("member", "team:*"),
        ("member", "team:"),
        ("member", "team"),
        ("member", "team:a#b"),
        ("member", "team:a:b"),
        ("member", "team:a b"),
        ("member", "user:ana"),
        ("member", "robot:1"),
        ("", "team:1"),
        ("owner", "team:1"),
        ("member#x", "team:1"),
        ("a" * (LONGEST_RELATION + 1), "team:1"),
    ],
)
def test_a_relation_to_an_object_is_asked_about_or_refused_as_by_the_server(store, relation, object):
    """Names of relations and objects are taken and refused alike."""
    ours, theirs = along(store, [], "user:ana", relation, object)
    assert isinstance(ours, RelationsRefused) == isinstance(theirs, Refusal), (ours, theirs)


def test_a_condition_context_of_32_kb_is_stored_and_a_larger_one_is_not(store):
    """The context a tuple brings along has the server's limit."""

    def conditional(size):
        return {**tuples("team:1#member@user:ana")[0], "condition": {"name": "told", "context": {"text": "a" * size}}}

    refuse_unwritable(tuple_from_json(conditional(LARGEST_CONTEXT - 100)))
    with pytest.raises(TupleRefused, match="larger"):
        refuse_unwritable(tuple_from_json(conditional(LARGEST_CONTEXT)))
    store.write([conditional(LARGEST_CONTEXT - 100)])
    with pytest.raises(AssertionError, match=r"size limit|too large|exceed"):
        store.write([{**conditional(LARGEST_CONTEXT), "object": "team:2"}])


def test_a_tuple_that_says_nothing_is_not_stored(store):
    """team:1#member is member of team:1 anyway; both refuse to write it down."""
    [nothing] = tuples("team:1#member@team:1#member")
    with pytest.raises(TupleRefused, match="says nothing"):
        refuse_unwritable(tuple_from_json(nothing))
    with pytest.raises(AssertionError, match="implicit"):
        store.write([nothing])


def test_100_types_make_a_model_and_101_do_not():
    """The server's limit on types is kept when a model is read."""

    def types(count):
        return parse_model("model\n  schema 1.1\n" + "\n".join(f"type t{n}" for n in range(count)))

    assert Evaluator(types(MOST_TYPES), ()).model
    store_ = session_openfga().store()
    assert store_.try_model(model_to_json(types(MOST_TYPES))) is None
    with pytest.raises(RelationsRefused, match="at most 100 types"):
        Evaluator(types(MOST_TYPES + 1), ())
    assert isinstance(store_.try_model(model_to_json(types(MOST_TYPES + 1))), Refusal)
