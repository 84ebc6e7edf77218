"""A first bundle: what `admit init DIR` writes. The files lie beside this one as they are, tested as any bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from policies.bundles.contents import ADMIT_FILE
from policies.bundles.manifest import NAME, is_bundle_name
from policies.engines.reserved import ADMIT_MODULE
from policies.schema import schema_text

SCHEMA = "input.schema"
"""Without `.json`, because stock `opa test DIR` would load it as data; `opa check --schema input.schema` reads it."""
_FILES = Path(__file__).parent / "files"


def scaffold(name: str) -> Mapping[str, bytes]:
    """The files of a new bundle, by relative path. Raises ValueError for what cannot be a bundle's name."""
    if not is_bundle_name(name):
        raise ValueError(f"expected a bundle's name ({NAME}), found {name!r}")
    files = {path.relative_to(_FILES).as_posix(): path.read_bytes() for path in sorted(_FILES.rglob("*")) if path.is_file()}
    files["bundle.yaml"] = files["bundle.yaml"].replace(b"NAME", name.encode())
    files[ADMIT_FILE] = ADMIT_MODULE.encode()
    files[SCHEMA] = schema_text().encode()
    return dict(sorted(files.items()))
