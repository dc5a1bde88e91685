"""Benchmarks: what Canopy costs, as ratios to a baseline that is measured in the same run. See README.md."""
