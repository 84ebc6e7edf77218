"""The hash chain: whole when nobody touched it, and pointing at what somebody did touch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.chain import EMPTY, Entry, EntryKind, FlawKind, Head, broken_links, content_hash, next_seal, sealed

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
entries = st.builds(Entry, kind=st.sampled_from(EntryKind), id=st.text(st.characters(exclude_categories=["Cs"])), content=hashes)
chains = st.lists(entries, min_size=1, max_size=12).map(lambda them: sealed(EMPTY, them))


@given(chains)
def test_untouched_chain_has_no_flaw(chain):
    """Positions count from one."""
    assert list(broken_links(EMPTY, chain)) == []
    assert [seal.position for seal in chain] == list(range(1, len(chain) + 1))


@given(st.lists(entries, max_size=8), st.lists(entries, max_size=8))
def test_sealing_in_two_goes_is_sealing_in_one(first, then):
    """The head is all that has to be carried over."""
    begun = sealed(EMPTY, first)
    head = begun[-1].head if begun else EMPTY
    assert begun + sealed(head, then) == sealed(EMPTY, first + then)


@given(chains, st.data())
def test_any_changed_seal_is_named(chain, data):
    """Whatever part of it is changed, and nothing before it is suspected."""
    place = data.draw(st.integers(0, len(chain) - 1))
    old = chain[place]
    changed = data.draw(
        st.one_of(
            hashes.map(lambda new: replace(old, hash=new)),
            hashes.map(lambda new: replace(old, entry=replace(old.entry, content=new))),
            st.text(max_size=3).map(lambda new: replace(old, entry=replace(old.entry, id=new))),
            st.sampled_from(EntryKind).map(lambda new: replace(old, entry=replace(old.entry, kind=new))),
        ).filter(lambda new: new != old)
    )
    flaws = list(broken_links(EMPTY, [*chain[:place], changed, *chain[place + 1 :]]))
    assert flaws[0].kind is FlawKind.SEAL_CHANGED
    assert flaws[0].position == old.position
    assert len(flaws) <= 2


@given(chains, st.data())
def test_any_missing_stretch_is_named(chain, data):
    """From where it should have been; what follows it still hangs together."""
    start = data.draw(st.integers(0, len(chain) - 1))
    end = data.draw(st.integers(start + 1, len(chain)))
    flaws = list(broken_links(EMPTY, chain[:start] + chain[end:]))
    if end == len(chain):
        assert flaws == []  # a shortened chain is found by its head alone
    else:
        assert [(flaw.kind, flaw.position) for flaw in flaws] == [(FlawKind.SEAL_MISSING, start + 1)]


@given(chains, st.data())
def test_exchanged_neighbours_are_found(chain, data):
    """The order is part of what is sealed."""
    if len(chain) < 2:
        return
    place = data.draw(st.integers(0, len(chain) - 2))
    chain[place], chain[place + 1] = chain[place + 1], chain[place]
    assert list(broken_links(EMPTY, chain))


@given(chains, entries)
def test_rewritten_chain_has_another_head(chain, other):
    """Whoever seals everything anew after a change cannot get back to a head somebody kept."""
    if other == chain[0].entry:
        return
    forged = sealed(EMPTY, [other, *[seal.entry for seal in chain[1:]]])
    assert list(broken_links(EMPTY, forged)) == []
    assert forged[-1].position == chain[-1].position
    assert forged[-1].hash != chain[-1].hash


@given(entries, st.integers(1, 1000), hashes)
def test_seal_depends_on_everything_before_it(entry, position, hash):
    """The same entry elsewhere is another seal."""
    here = next_seal(Head(position=position, hash=hash), entry)
    assert here.hash != next_seal(Head(position=position + 1, hash=hash), entry).hash
    assert here.hash != next_seal(EMPTY, entry).hash


def test_kinds_do_not_pass_for_each_other():
    """The same bytes as decision and as audit event, and content that looks like a seal."""
    assert content_hash(EntryKind.DECISION, b"{}") != content_hash(EntryKind.AUDIT, b"{}")


def test_hashes_are_the_ones_written_down_here():
    """Computed once by hand with hashlib: a chain sealed today can be verified by any later version."""
    assert EMPTY.hash == "62a941d72ae8a50b7d3057cb430eb6db7da928fd1da21334a04ce9232c629aa3"
    entry = Entry(kind=EntryKind.DECISION, id="d1", content=content_hash(EntryKind.DECISION, b'{"id":"d1"}'))
    assert entry.content == "7e944f5b33bf5a0647b536a032f4ee510359a761892c80284fcc4f01b2a96eb4"
    assert next_seal(EMPTY, entry).hash == "a270de63b9e62897f4ae394b099bf433da7a550b66b9ab4183905360ec690bf9"


@pytest.mark.parametrize("position", [0, 3])
def test_chain_that_does_not_start_where_it_should_is_found(position):
    """A first seal that is not the first."""
    seal = next_seal(EMPTY, Entry(kind=EntryKind.AUDIT, id="1", content="0" * 64))
    assert [flaw.kind for flaw in broken_links(EMPTY, [replace(seal, position=position)])] == [FlawKind.SEAL_MISSING]
