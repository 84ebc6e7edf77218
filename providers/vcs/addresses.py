"""Whether an address a person sees is one of a forge's, and what stands below the place where the forge is served. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def path_below(served: SplitResult, url: str) -> str | None:
    """The path of `url` below where the forge is served; None for anybody else's address, or one with credentials in it."""
    try:
        parts = urlsplit(url)
        if (parts.scheme.lower(), _place(parts.netloc, parts.scheme)) != (served.scheme, _place(served.netloc, served.scheme)):
            return None
    except ValueError:
        return None
    return parts.path[len(served.path) :] if parts.path.startswith(served.path) else None


def _place(netloc: str, scheme: str) -> str:
    """Host and port, the scheme's own port left out."""
    own = {"http": ":80", "https": ":443"}.get(scheme.lower(), "")
    return netloc.lower().removesuffix(own) if own else netloc.lower()
