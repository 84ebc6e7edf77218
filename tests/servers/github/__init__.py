"""A GitHub on loopback: REST and GraphQL over a forge in memory, held to what GitHub publishes of its own API."""

from tests.servers.github.server import GithubServer, running_github, session_github

__all__ = ["GithubServer", "running_github", "session_github"]
