"""Records and SQL of votes and judges' labels: feedback."""
