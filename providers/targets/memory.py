"""A target in memory."""
