"""OPA over REST."""
