"""Records and SQL of generations."""
