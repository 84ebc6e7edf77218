"""What the adapters of targets with an HTTP API share: requests, credentials, and faults in the house's words."""

from providers.targets.http.client import Answer, TargetClient, path_of
from providers.targets.http.credentials import Basic, Credentials, Login, Nothing, Secret, Token

__all__ = ["Answer", "Basic", "Credentials", "Login", "Nothing", "Secret", "TargetClient", "Token", "path_of"]
