"""The metrics on /metrics: one group for each noun, and `Metrics`, which holds them all.

`docs/operations.md` describes each. Label values come from closed or configured lists.
"""
