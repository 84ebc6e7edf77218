"""Tier 2: deterministic processes, one per file: what happens, in which order."""
