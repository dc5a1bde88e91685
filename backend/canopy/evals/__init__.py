"""Evaluations: suites of cases, what the backend answers to them, how that scores, and whether it is good enough."""
