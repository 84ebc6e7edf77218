"""How much a bundle may hold, and which names its files may have: the same for folders, archives and uploads."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from policies.errors import BundleRefused, Problem

MAX_FILES = 10_000
MAX_BYTES = 100_000_000
MAX_PATH = 1_000
"""Characters of one relative path."""


def path_problem(path: str) -> str | None:
    """What is wrong with the name of a bundle's file, or None: it must be relative, `/`-separated and stay inside."""
    if not path or len(path) > MAX_PATH:
        return f"expected a name of 1 to {MAX_PATH} characters, found {len(path)}"
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return "expected a relative path, found an absolute one"
    if "\\" in path or any(unicodedata.category(char) in ("Cc", "Cs") for char in path):
        return "expected a path of ordinary characters with / between folders, found a backslash or a control character"
    parts = path.split("/")
    if ".." in parts:
        return "expected a path inside the bundle, found one that climbs out with .."
    if "." in parts or "" in parts:
        return "expected a plain path, found an empty or . step in it"
    return None


class Gathered:
    """Files on their way into a bundle; refuses the first one that goes too far, before it is kept."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self._files: dict[str, bytes] = {}
        self._bytes = 0

    @property
    def files(self) -> Mapping[str, bytes]:
        """By name, in order."""
        return dict(sorted(self._files.items()))

    @property
    def room(self) -> int:
        """Bytes that still fit."""
        return MAX_BYTES - self._bytes

    def add(self, path: str, content: bytes) -> None:
        """Keep a file. Raises BundleRefused."""
        if (wrong := path_problem(path)) is not None:
            raise self.refusal(path, wrong, "rename it")
        if path in self._files:
            raise self.refusal(path, "expected every name once, found this one twice", "remove one of them")
        if len(self._files) >= MAX_FILES:
            raise self.refusal(None, f"expected at most {MAX_FILES:,} files, found more", "split the bundle")
        if len(content) > self.room:
            raise self.too_large(path)
        self._files[path] = content
        self._bytes += len(content)

    def too_large(self, path: str | None) -> BundleRefused:
        """The refusal of a file that does not fit any more."""
        return self.refusal(path, f"expected at most {MAX_BYTES // 1_000_000} MB in all files together, found more", "split the bundle")

    def refusal(self, path: str | None, message: str, advice: str | None = None) -> BundleRefused:
        """A refusal of this bundle."""
        return BundleRefused(self._bundle, [Problem(path=path, message=message, advice=advice)])
