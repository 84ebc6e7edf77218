"""Gateways for the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.process import write_bundle

APPROVAL = """\
# METADATA
# title: Somebody else has approved
package merge.approval

deny contains {"msg": "nobody but the author has approved this commit", "remedy": "ask a colleague for a review"} if not approved

approved if {
	some review in input.change.reviews
	review.state == "approved"
	review.dismissed == false
	review.commit_sha == input.change.head.sha
	review.user.ref != input.change.author.ref
}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """One policy: somebody but the author has approved the newest commit."""
    manifest = "name: acme\npolicies:\n  - package: merge.approval\n    match: {action: merge}\n"
    return write_bundle(tmp_path / "bundle", {"bundle.yaml": manifest, "approval.rego": APPROVAL})
