"""One exam for everything that runs workflows."""
