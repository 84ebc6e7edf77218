"""Tier 1: pages."""
