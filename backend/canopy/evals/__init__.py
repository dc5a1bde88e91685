"""Evaluates a backend: suites of cases, the answers to them, their scores, and a gate."""
