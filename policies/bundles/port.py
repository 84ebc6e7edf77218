"""The port to where bundles come from. Reading is separate from checking: `checked_bundle` does the latter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from policies.values import value


@value
class BundleFiles:
    """A bundle as it lies somewhere: relative path (`/`-separated) → bytes. Nothing about it is trusted yet."""

    name: str
    """Where it came from, for messages; the bundle's real name stands in its bundle.yaml."""
    files: Mapping[str, bytes]


class BundleSource(Protocol):
    """A place that holds bundles."""

    async def bundles(self) -> Sequence[BundleFiles]:
        """All bundles of this place, in a stable order.

        Raises BundleRefused for what cannot even be read safely (links that lead outside, too many or too large files,
        names that are absolute or climb), naming the file.
        """
