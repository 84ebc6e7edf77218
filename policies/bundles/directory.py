"""Bundles that lie in folders."""
