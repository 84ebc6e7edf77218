"""The exam every forge sits."""
