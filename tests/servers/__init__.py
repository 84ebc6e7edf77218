"""Real servers for the tests: how each is had, and how each is started on loopback."""
