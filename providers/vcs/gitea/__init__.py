"""Gitea and Forgejo."""

from providers.vcs.gitea.adapter import GiteaForge

__all__ = ["GiteaForge"]
