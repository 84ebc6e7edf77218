"""Folders and archives: what is taken into a bundle, and what is refused before it is."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles import BundleFiles, limits
from policies.bundles import archive as archive_module
from policies.bundles.archive import packed, unpacked
from policies.bundles.directory import DirectoryBundles, read_bundle
from policies.errors import BundleRefused

FILES = {"bundle.yaml": b"name: acme\n", ".manifest": b"{}", "merge/size.rego": b"package merge.size\n", "merge/größe.rego": b"package m\n"}


def put(folder: Path, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def tar_of(*members, fmt=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=fmt) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def entry(name, content=b"", kind=tarfile.REGTYPE, target=""):
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(content), kind, target
    return member, content


def test_a_folder_is_read_whole_without_what_begins_with_a_dot(tmp_path):
    """`.manifest` belongs to the bundle, `.git` does not."""
    put(tmp_path / "acme", {**FILES, ".git/config": b"x", "merge/.swp": b"x"})
    assert read_bundle(tmp_path / "acme") == BundleFiles(name="acme", files=FILES)


def test_sources_keep_the_order_they_were_configured_in_and_take_archives_too(tmp_path):
    """`bundles: [b, a.tar.gz]` gives b, then a."""
    put(tmp_path / "b", FILES)
    (tmp_path / "a.tar.gz").write_bytes(packed(FILES))
    found = asyncio.run(DirectoryBundles([tmp_path / "b", tmp_path / "a.tar.gz"]).bundles())
    assert [bundle.name for bundle in found] == ["b", "a.tar.gz"]
    assert [dict(bundle.files) for bundle in found] == [FILES, FILES]


def test_a_mounted_config_map_is_read_once(tmp_path):
    """Kubernetes puts the files in `..2026_01_01`, and links to them."""
    put(tmp_path / "..2026_01_01", {"bundle.yaml": b"name: acme\n"})
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "bundle.yaml").symlink_to("..data/bundle.yaml")
    assert dict(read_bundle(tmp_path).files) == {"bundle.yaml": b"name: acme\n"}


def link_outside(folder):
    (folder.parent / "secret").write_text("secret")
    (folder / "data.json").symlink_to("../secret")


def link_to_a_folder(folder):
    (folder / "loop").symlink_to(".")


def link_to_nothing(folder):
    (folder / "data.json").symlink_to("nothing")


def link_to_itself(folder):
    (folder / "data.json").symlink_to("data.json")


def pipe(folder):
    os.mkfifo(folder / "data.json")


FOLDERS = {
    "a link that leads outside": (
        link_outside,
        "data.json: expected a file of the bundle, found a link that leads outside; put the file itself there",
    ),
    "a link to a folder": (link_to_a_folder, "loop: expected a folder, found a link to one; put the files themselves there"),
    "a link to nothing": (link_to_nothing, "data.json: expected a file, found a link that leads nowhere; remove it"),
    "a link to itself": (link_to_itself, "data.json: expected a file, found a link that leads nowhere; remove it"),
    "a pipe": (pipe, "data.json: expected an ordinary file, found a device, pipe or socket; remove it"),
}


@pytest.mark.parametrize(("spoil", "message"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_is_refused_for(spoil, message, tmp_path):
    """Nothing outside the folder, and nothing that is no file, is read."""
    folder = put(tmp_path / "acme", {"bundle.yaml": b"name: acme\n"})
    spoil(folder)
    with pytest.raises(BundleRefused) as refused:
        read_bundle(folder)
    assert str(refused.value) == f"bundle 'acme' is refused:\n  {message}"


def test_a_socket_in_a_folder_is_refused(tmp_path, monkeypatch):
    """Opening one fails before its kind can be looked at; that is a refusal too."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("data.json")
        with pytest.raises(BundleRefused, match="bundle"):
            read_bundle(tmp_path)


def test_a_folder_that_is_not_there_is_refused_by_its_path(tmp_path):
    """The path is what was written into `admit.yaml`."""
    with pytest.raises(BundleRefused, match=r"expected a bundle's folder or tar\.gz at .*/nothing, found: No such file"):
        read_bundle(tmp_path / "nothing")


ARCHIVES = {
    "a name that climbs": (tar_of(entry("../x")), "../x: expected a path inside the bundle, found one that climbs out with ..; rename it"),
    "a name that climbs later": (
        tar_of(entry("a/../../x")),
        "a/../../x: expected a path inside the bundle, found one that climbs out with ..; rename it",
    ),
    "an absolute name": (tar_of(entry("/etc/x")), "/etc/x: expected a relative path, found an absolute one; rename it"),
    "a drive": (tar_of(entry("C:x")), "C:x: expected a relative path, found an absolute one; rename it"),
    "a backslash": (
        tar_of(entry("..\\x")),
        "..\\x: expected a path of ordinary characters with / between folders, found a backslash or a control character; rename it",
    ),
    "a line break in a name": (
        tar_of(entry("a\nb")),
        "a\nb: expected a path of ordinary characters with / between folders, found a backslash or a control character; rename it",
    ),
    "a name twice": (
        tar_of(entry("a", b"1"), entry("a", b"2")),
        "a: expected every name once, found this one twice; remove one of them",
    ),
    "a name twice, once with ./": (
        tar_of(entry("a", b"1"), entry("./a", b"2")),
        "a: expected every name once, found this one twice; remove one of them",
    ),
    "a symbolic link": (
        tar_of(entry("a", kind=tarfile.SYMTYPE, target="/etc/passwd")),
        "a: expected an ordinary file, found a link; pack the file itself",
    ),
    "a hard link": (
        tar_of(entry("a"), entry("b", kind=tarfile.LNKTYPE, target="a")),
        "b: expected an ordinary file, found a link; pack the file itself",
    ),
    "a device": (
        tar_of(entry("a", kind=tarfile.CHRTYPE)),
        "a: expected an ordinary file, found a device, pipe or file with holes; remove it",
    ),
    "bytes that are none": (
        b"hello",
        "expected a tar.gz, found bytes that are not one: Not a gzipped file (b'he'); pack a folder with: admit bundle build",
    ),
    "a tar without gzip": (
        gzip.decompress(packed(FILES)),
        "expected a tar.gz, found bytes that are not one: Not a gzipped file (b'.m'); pack a folder with: admit bundle build",
    ),
    "gzip without a tar": (
        gzip.compress(b"hello" * 200, mtime=0),
        "expected a tar.gz, found bytes that are not one: invalid header; pack a folder with: admit bundle build",
    ),
    "half of it": (
        packed(FILES)[:-30],
        "expected a tar.gz, found bytes that are not one: Compressed file ended before the end-of-stream marker was reached; "
        "pack a folder with: admit bundle build",
    ),
}


@pytest.mark.parametrize(("archive", "message"), ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_is_refused_for(archive, message):
    """Uploads come from anywhere: only ordinary files with plain names get in."""
    with pytest.raises(BundleRefused) as refused:
        unpacked("upload", archive)
    assert str(refused.value) == f"bundle 'upload' is refused:\n  {message}"


def test_a_bomb_is_refused_before_it_has_gone_off(monkeypatch):
    """A few kilobytes that would unpack to far more than a bundle may hold."""
    monkeypatch.setattr(archive_module, "_LARGEST", 1_000_000)
    bomb = tar_of(entry("data.json", b"\0" * 5_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(BundleRefused, match=r"expected at most 100 MB in all files together, found more; split the bundle"):
        unpacked("upload", bomb)


def test_a_size_that_lies_is_not_believed():
    """A header that announces 100 GB behind a few bytes is a refusal, not an allocation."""
    member, _ = entry("data.json")
    member.size = 100_000_000_000
    with pytest.raises(BundleRefused, match="100 MB in all files together"):
        unpacked("upload", gzip.compress(member.tobuf(tarfile.GNU_FORMAT)))


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    """The limit holds for folders and archives alike."""
    monkeypatch.setattr(limits, "MAX_FILES", 3)
    put(tmp_path, FILES)
    for read in (lambda: read_bundle(tmp_path), lambda: unpacked("upload", packed(FILES))):
        with pytest.raises(BundleRefused, match="expected at most 3 files, found more; split the bundle"):
            read()


def test_too_many_bytes_are_refused(tmp_path, monkeypatch):
    """The limit is on all files together."""
    monkeypatch.setattr(limits, "MAX_BYTES", 20)
    put(tmp_path, FILES)
    for read in (lambda: read_bundle(tmp_path), lambda: unpacked("upload", packed(FILES))):
        with pytest.raises(BundleRefused, match="in all files together, found more; split the bundle"):
            read()


NAMES = st.text(st.characters(exclude_characters="/\\", exclude_categories=["C"]), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and name[1:2] != ":"
)


@settings(deadline=None)
@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), max_size=6))
def test_packing_and_unpacking_gives_the_same_files_and_the_same_bytes(files):
    """Long and foreign names too; the same files give the same archive in whatever order they come."""
    files = {path: content for path, content in files.items() if not path.startswith("./")}
    archive = packed(files)
    assert dict(unpacked("upload", archive).files) == files
    assert packed(dict(reversed(files.items()))) == archive


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_read_or_refused_and_nothing_else(data):
    """No bytes make anything but a BundleRefused."""
    content = bytearray(gzip.decompress(packed(FILES)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 2000))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BundleRefused):
        unpacked("upload", gzip.compress(bytes(content), compresslevel=1))


def test_what_is_no_bundle_is_told_what_to_name_instead(tmp_path):
    """A folder inside a bundle, a file beside one, nothing at all: one line, with the way out."""
    inside = tmp_path / "acme" / "merge"
    inside.mkdir(parents=True)
    (tmp_path / "acme" / "bundle.yaml").write_text("name: acme\n")
    (inside / "size.rego").write_text("package merge.size\n")
    for path, advice in (
        (inside, f"expected a bundle's folder, found a folder inside bundle acme; name {tmp_path / 'acme'}"),
        (inside / "size.rego", "name the folder its bundle.yaml is in"),
        (tmp_path / "nothing", "start one with: admit init DIR"),
    ):
        with pytest.raises(BundleRefused) as refused:
            read_bundle(path)
        assert len(refused.value.problems) == 1
        assert str(refused.value).endswith(advice)
