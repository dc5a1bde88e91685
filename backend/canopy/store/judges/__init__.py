"""Records and SQL of judges' turns and labels."""
