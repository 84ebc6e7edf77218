"""Bundles for tests: a good one, and the same with something wrong in it."""

from __future__ import annotations

from policies.bundles import BundleFiles

MANIFEST = b"""\
name: acme
policies:
  - package: merge.size
    match: {action: merge}
    parameters: {maximum: 3}
"""
SIZE = b"""\
# METADATA
# title: Small changes
# description: Large changes are hard to review.
package merge.size

import data.admit

deny contains "too many files" if count(input.change.files) > input.parameters.maximum

warn_draft contains "a draft" if input.change.draft

questions contains admit.question(input.change.author.ref, "owner", input.change.repository.ref)
"""
TEST = b"""\
package merge.size_test

import data.merge.size

test_small if count(size.deny) == 0 with input as {"change": {"files": []}, "parameters": {"maximum": 3}}
"""
GOOD = {".manifest": b'{"roots": ["merge", "lib", "teams"]}', "bundle.yaml": MANIFEST, "size.rego": SIZE, "size_test.rego": TEST}


def a_bundle(changes=None, *, name="upload"):
    """The good bundle with some files replaced, added, or (None) left out. Text is encoded."""
    files = {**GOOD, **(changes or {})}
    plain = {path: content.encode() if isinstance(content, str) else content for path, content in files.items() if content is not None}
    return BundleFiles(name=name, files=plain)
