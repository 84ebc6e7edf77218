"""Reading OPA's syntax trees: modules, rules, references, and the source lines they stand on."""

from policies.bundles.syntax.metadata import Metadata, metadata_of
from policies.bundles.syntax.places import Places
from policies.bundles.syntax.tree import Import, Module, Ref, Rule, module_from_tree, nodes, ref_of, references

__all__ = ["Import", "Metadata", "Module", "Places", "Ref", "Rule", "metadata_of", "module_from_tree", "nodes", "ref_of", "references"]
