"""Reading OPA's syntax trees: modules, rules, references, what they mean, and the source lines they stand on."""

from policies.bundles.syntax.metadata import Metadata, metadata_of
from policies.bundles.syntax.places import Places
from policies.bundles.syntax.resolve import Program, RulePath, static
from policies.bundles.syntax.tree import Import, Module, Node, Ref, Rule, mentioned, module_from_tree, nodes, ref_of, references

__all__ = [
    "Import",
    "Metadata",
    "Module",
    "Node",
    "Places",
    "Program",
    "Ref",
    "Rule",
    "RulePath",
    "mentioned",
    "metadata_of",
    "module_from_tree",
    "nodes",
    "ref_of",
    "references",
    "static",
]
