"""Gitea and Forgejo."""

from providers.vcs.gitea.adapter import GiteaForge
from providers.vcs.gitea.setup import GiteaSetup

__all__ = ["GiteaForge", "GiteaSetup"]
