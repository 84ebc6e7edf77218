"""Bundles that lie in folders, or as tar.gz files beside them: `bundles: [./bundles/acme]` in `admit.yaml`.

Names that begin with a dot (`.git`, `.github`, editors' folders) are not part of a bundle, except OPA's `.manifest`.
A symbolic link counts as the file it points to, if that lies in the same folder (Kubernetes mounts ConfigMaps so).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from policies.bundles.limits import MAX_BYTES, Gathered
from policies.bundles.manifest import MANIFEST_FILE
from policies.bundles.port import BundleFiles
from policies.errors import BundleRefused, Problem
from policies.loop import aside

_KEPT_DOT_FILES = (".manifest",)
_GZIP = b"\x1f\x8b"  # https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1


class DirectoryBundles:
    """A `BundleSource` over paths: each a bundle's folder or its tar.gz. Read anew on every call."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)

    async def bundles(self) -> Sequence[BundleFiles]:
        """One per path, in the order given."""
        return await aside(lambda: [read_bundle(path) for path in self._paths])


def read_bundle(path: Path) -> BundleFiles:
    """The bundle in a folder or tar.gz file. Raises BundleRefused."""
    try:
        if path.is_dir():
            _refuse_inside(path.resolve(strict=True))
            return read_folder(path)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    if not content.startswith(_GZIP):
        message = f"expected a bundle's folder or tar.gz, found the file {path}"
        raise BundleRefused(path.name, [Problem(message=message, advice="name the folder its bundle.yaml is in")])
    from policies.bundles.archive import unpacked

    return unpacked(path.name, content)


def read_folder(folder: Path) -> BundleFiles:
    """Every file below a folder. Raises BundleRefused, OSError."""
    root = folder.resolve(strict=True)
    gathered = Gathered(root.name)
    for file in _files(root, root, gathered):
        gathered.add(file.relative_to(root).as_posix(), _content(file, root, gathered))
    return BundleFiles(name=root.name, files=gathered.files)


def _refuse_inside(folder: Path) -> None:
    """A folder without a manifest below one that has it is a part of that bundle."""
    if not (folder / MANIFEST_FILE).exists() and (folder.parent / MANIFEST_FILE).exists():
        message = f"expected a bundle's folder, found a folder inside bundle {folder.parent.name}"
        raise BundleRefused(folder.name, [Problem(message=message, advice=f"name {folder.parent}")])


def _files(folder: Path, root: Path, gathered: Gathered) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        here = sorted(entries, key=lambda entry: entry.name)
    for entry in here:
        path = Path(entry.path)
        if entry.name.startswith(".") and entry.name not in _KEPT_DOT_FILES:
            continue
        if entry.is_symlink() and path.is_dir():
            where = path.relative_to(root).as_posix()
            raise gathered.refusal(where, "expected a folder, found a link to one", "put the files themselves there")
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, root, gathered)
        else:
            yield path


def _content(file: Path, root: Path, gathered: Gathered) -> bytes:
    where = file.relative_to(root).as_posix()
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError) as problem:
        raise gathered.refusal(where, "expected a file, found a link that leads nowhere", "remove it") from problem
    if not real.is_relative_to(root):
        raise gathered.refusal(where, "expected a file of the bundle, found a link that leads outside", "put the file itself there")
    with open(os.open(real, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise gathered.refusal(where, "expected an ordinary file, found a device, pipe or socket", "remove it")
        content = opened.read(gathered.room + 1)
    if len(content) > gathered.room:
        raise gathered.too_large(where)
    return content


def _unreadable(path: Path, problem: OSError) -> BundleRefused:
    found = problem.strerror or str(problem)
    advice = "start one with: admit init DIR" if isinstance(problem, FileNotFoundError) else None
    return BundleRefused(path.name, [Problem(message=f"expected a bundle's folder or tar.gz at {path}, found: {found}", advice=advice)])
