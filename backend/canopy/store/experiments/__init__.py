"""Records and SQL of experiments, comparisons and ballots."""
