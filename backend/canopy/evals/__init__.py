"""Evaluations: suites of cases, a backend's answers to them, their scores, and a gate."""
