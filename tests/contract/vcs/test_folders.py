"""A folder is read at one commit, byte for byte."""

from __future__ import annotations

import pytest

from providers.errors import NotFound, PermanentError
from providers.vcs import Forge
from tests.contract.vcs.stages import Stage

pytestmark = pytest.mark.anyio


async def test_files_below_a_folder(stage: Stage, forge: Forge) -> None:
    """Paths relative to it, nested ones too, bytes as they are; neighbours with a like name are not in it."""
    files = {".admit/a.rego": "package a\n", ".admit/deep/er/b.json": b"\x00\xff{}", ".admit-not/c": "c", "d": "d", ".admit/empty": ""}
    repository = stage.repository(files)

    folder = await forge.read_folder(repository, "main", ".admit")

    assert folder.files == {"a.rego": b"package a\n", "deep/er/b.json": b"\x00\xff{}", "empty": b""}


async def test_a_commit_is_read_as_well_as_a_branch(stage: Stage, forge: Forge) -> None:
    """A branch is resolved once, and what it resolved to is told."""
    repository = stage.repository()
    first = stage.push(repository, "topic/with-slash", {".admit/a": "1"})
    second = stage.push(repository, "topic/with-slash", {".admit/a": "2"})

    at_branch = await forge.read_folder(repository, "topic/with-slash", ".admit")
    at_commit = await forge.read_folder(repository, first, ".admit/")

    assert (at_branch.commit, at_branch.files) == (second, {"a": b"2"})
    assert (at_commit.commit, at_commit.files) == (first, {"a": b"1"})


async def test_no_such_folder_is_no_files(stage: Stage, forge: Forge) -> None:
    """Neither where a file has that name."""
    repository = stage.repository({".admit": "a file"})

    assert (await forge.read_folder(repository, "main", ".admit")).files == {}
    assert (await forge.read_folder(repository, "main", "no/such")).files == {}


async def test_no_such_ref_is_not_found(stage: Stage, forge: Forge) -> None:
    """A policy that cannot be read is a fault, never an empty folder."""
    repository = stage.repository({".admit/a": "1"})

    for ref in ("no-such-branch", "f" * 40):
        with pytest.raises(NotFound):
            await forge.read_folder(repository, ref, ".admit")


async def test_too_many_files_are_refused(stage: Stage, forge: Forge) -> None:
    """The limit is part of the promise; a part of the folder is not an answer."""
    repository = stage.repository({f".admit/{number:04}": "x" for number in range(1_001)})

    with pytest.raises(PermanentError, match="1001 files"):
        await forge.read_folder(repository, "main", ".admit")


async def test_first_of_several_files_is_read(stage: Stage, forge: Forge) -> None:
    """In the order of the paths, not of the tree; a folder of that name is no file, and none at all is no fault."""
    places = ("CODEOWNERS", "docs/CODEOWNERS", ".github/CODEOWNERS")
    repository = stage.repository({"CODEOWNERS/x": "a folder", "docs/CODEOWNERS": b"* @\xff\n", ".github/CODEOWNERS": "second"})
    head = stage.push(repository, "bare", {"CODEOWNERS/x": None, "docs/CODEOWNERS": None, ".github/CODEOWNERS": None, "a": "1"})

    assert (await forge.read_first(repository, "main", places)).files == {"docs/CODEOWNERS": b"* @\xff\n"}
    nothing = await forge.read_first(repository, head, places)
    assert (nothing.commit, nothing.files) == (head, {})
    with pytest.raises(NotFound):
        await forge.read_first(repository, "no-such-branch", places)
