"""Relationship checks by an OpenFGA server, through `openfga-sdk`."""

from policies.relations.openfga.adapter import OpenFgaRelations
from policies.relations.openfga.server import ClientCredentials, Credentials, Token

__all__ = ["ClientCredentials", "Credentials", "OpenFgaRelations", "Token"]
