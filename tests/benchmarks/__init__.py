"""Measures against real alternatives, as ratios within one run. No timing here decides whether a test passes."""
