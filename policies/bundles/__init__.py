"""Versioned policies: what a bundle is, and the port to where bundles lie."""

from policies.bundles.model import Bundle, Match, Policy
from policies.bundles.port import BundleFiles, BundleSource

__all__ = ["Bundle", "BundleFiles", "BundleSource", "Match", "Policy"]
