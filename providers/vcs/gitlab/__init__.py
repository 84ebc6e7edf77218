"""GitLab."""

from providers.vcs.gitlab.adapter import GitLabForge
from providers.vcs.gitlab.setup import GitLabSetup

__all__ = ["GitLabForge", "GitLabSetup"]
