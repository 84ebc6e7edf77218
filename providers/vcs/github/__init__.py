"""GitHub and GitHub Enterprise."""

from providers.vcs.github.adapter import GithubForge
from providers.vcs.github.credentials import AccessToken, App, Credentials
from providers.vcs.github.setup import GithubSetup

__all__ = ["AccessToken", "App", "Credentials", "GithubForge", "GithubSetup"]
