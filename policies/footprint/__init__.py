"""What a policy reads, from its syntax tree: checked on load, shown to authors, used to skip work.

Refused are names the input does not have, parameters and data the bundle does not have, and constants a fact never is.
"""

from policies.footprint.model import Footprint, Unfollowed, written
from policies.footprint.of_bundle import footprints
from policies.footprint.report import Subject, footprint_of, lost_references
from policies.footprint.values import ITEM, Path

__all__ = ["ITEM", "Footprint", "Path", "Subject", "Unfollowed", "footprint_of", "footprints", "lost_references", "written"]
