"""What a repository says for itself: which files count, what a change touches, and how evidence is recalled."""

from __future__ import annotations

import pytest

from policies.model import ChangeFacts
from policies.repository import MOST_BYTES, MOST_FILES, OwnFiles, is_own, own_files, recalled, touches, touches_nothing_else
from tests.builders import a_bundle, a_change_document, a_request


def a_change(*paths, renamed_from=None):
    files = [{"path": path, "previous_path": None, "status": "modified"} for path in paths]
    if renamed_from is not None:
        files[0] |= {"previous_path": renamed_from, "status": "renamed"}
    return ChangeFacts(document=a_change_document(files=files))


@pytest.mark.parametrize(
    ("change", "touched", "only"),
    [
        (a_change("app/x.py"), False, False),
        (a_change(".admit/x.rego"), True, True),
        (a_change(".admit/x.rego", "app/x.py"), True, False),
        (a_change(".admit/deep/x.rego", ".admit/bundle.yaml"), True, True),
        (a_change("x.rego", renamed_from=".admit/x.rego"), True, False),
        (a_change(".admit/x.rego", renamed_from="x.rego"), True, False),
        (a_change(".admit/y.rego", renamed_from=".admit/x.rego"), True, True),
        (a_change(".admittance/x.rego"), False, False),
        (a_change("docs/.admit/x.rego"), False, False),
        (a_change(".admit"), True, True),
        (a_change(), False, False),
    ],
    ids=["other", "inside", "both", "deep", "moved-out", "moved-in", "moved-within", "alike", "elsewhere", "a-file", "empty"],
)
def test_what_a_change_touches(change, touched, only):
    """By both ends of a rename; a change of nothing touches nothing, and is no repair."""
    assert touches(change) is touched
    assert touches_nothing_else(change) is only


def test_files_count_as_those_of_a_folder_do():
    """Editors' and tools' own files are no part of a bundle; OPA's manifest is."""
    files = {".manifest": b"{}", ".regal/config.yaml": b"", "a/.git": b"", "deep/.manifest": b"", "bundle.yaml": b"", "a/x.rego": b""}
    assert sorted(own_files(files)) == [".manifest", "a/x.rego", "bundle.yaml"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({f"{n}.md": b"" for n in range(MOST_FILES + 1)}, b"201 files with 0 bytes"),
        ({"a": b"x" * MOST_BYTES, "b": b"y"}, b"2 files with 1,000,001 bytes"),
    ],
    ids=["many", "large"],
)
def test_of_too_much_only_how_much_it_is_counts(files, said):
    """What any contributor may propose is neither compiled nor kept beyond a limit; at the limit it is."""
    assert list(own_files(files).values()) == [said]
    fewer = dict(list(files.items())[:-1])
    assert own_files(fewer) == fewer


@pytest.mark.parametrize(
    "own",
    [
        OwnFiles(repository="repository:work/12", commit="c" * 40, target={"a": b"1"}),
        OwnFiles(repository="repository:work/12", commit="c" * 40, target={"a": b"1"}, head={"a": b"2"}, head_sha="a" * 40),
        OwnFiles(repository="repository:work/12", commit="c" * 40, head={"a": b"2"}, head_sha="a" * 40),
    ],
    ids=["target", "both", "head"],
)
def test_evidence_is_recalled_as_what_it_was(own):
    """The files of both sides; commits as far as labels tell them."""
    again = recalled(own.evidence, a_request())
    assert again is not None
    assert (again.repository, again.target, again.head) == (own.repository, own.target, own.head)
    assert again.evidence == own.evidence
    assert all(is_own(id) for id, _ in own.evidence)


def test_without_evidence_nothing_is_recalled():
    """Nothing was added then, and nothing is now."""
    assert recalled((), a_request()) is None
    assert not is_own(a_bundle().id)
