"""Records and SQL of what is still to be told to MLflow."""
