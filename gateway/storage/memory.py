"""Storage in memory."""
