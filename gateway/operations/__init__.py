"""Tier 3: one use case each, with its side effects."""
