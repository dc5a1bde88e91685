"""Runs suites against a backend: requests, scores, baseline, gate."""
