"""Suites of cases: the files, read, edited and merged."""
