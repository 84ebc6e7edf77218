"""An own evaluator of OpenFGA models."""
