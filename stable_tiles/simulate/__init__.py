"""Simulated data sets with known truth, one module a task."""
