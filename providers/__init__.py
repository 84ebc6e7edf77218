"""REACH OUT: forges, where changes are proposed, and targets, where workflows run."""
