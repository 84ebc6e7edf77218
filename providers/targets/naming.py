"""What workflows and runs are called at a target."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from providers.errors import NotFound
from providers.targets.port import RunKey


def name_there(target: str, workflow: str, names: Mapping[str, str]) -> str:
    """The target's own name of a workflow; without any names, they are the same. Raises NotFound."""
    if not names:
        return workflow
    try:
        return names[workflow]
    except KeyError:
        known = ", ".join(sorted(names))
        raise NotFound(f"target '{target}' has no workflow '{workflow}'", advice=f"its configuration names: {known}") from None


def dns_label(run_key: RunKey) -> str:
    """A name for the run where only lower-case DNS labels will do (RFC 1123, at most 63 characters); no two keys share one."""
    return "admit-" + hashlib.sha256(run_key.encode()).hexdigest()[:40]
