"""A bundle as one file: tar.gz bytes to files, and files to the same bytes every time.

The bytes come from uploads, so nothing in them is believed: sizes are counted while unpacking, and only
ordinary files with plain names are taken.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping

from policies.bundles.limits import MAX_BYTES, MAX_FILES, Gathered
from policies.bundles.port import BundleFiles

_HEADERS = 2_048
"""Bytes of tar per entry beyond its content: header, padding, a long name."""
_LARGEST = MAX_BYTES + MAX_FILES * _HEADERS


def unpacked(name: str, archive: bytes) -> BundleFiles:
    """The files in a tar.gz. Raises BundleRefused."""
    gathered = Gathered(name)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(archive)) as zipped:
            content = zipped.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise gathered.too_large(None)
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for number, member in enumerate(tar):
                if number >= 2 * MAX_FILES:
                    raise gathered.refusal(None, f"expected at most {MAX_FILES:,} files, found more entries than that", "split the bundle")
                _take(tar, member, gathered)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as problem:
        raise gathered.refusal(
            None, f"expected a tar.gz, found bytes that are not one: {problem}", "pack a folder with: admit bundle build"
        ) from problem
    return BundleFiles(name=name, files=gathered.files)


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, gathered: Gathered) -> None:
    path = member.name.removeprefix("./")
    if member.isdir():
        return
    if member.issym() or member.islnk():
        raise gathered.refusal(path, "expected an ordinary file, found a link", "pack the file itself")
    if not member.isfile() or member.issparse():
        raise gathered.refusal(path, "expected an ordinary file, found a device, pipe or file with holes", "remove it")
    if member.size > gathered.room:
        raise gathered.too_large(path)
    content = tar.extractfile(member)
    assert content is not None
    gathered.add(path, content.read())


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of the files: sorted, without times, owners or modes of this machine."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
