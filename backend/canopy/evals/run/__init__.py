"""A run of the suites: backend, scorers, baseline, gate."""
