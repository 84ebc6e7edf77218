"""Tier 1: the HTTP interface."""
