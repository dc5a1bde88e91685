"""Records and SQL of reviews."""
