"""Keeps what is still to be told to MLflow."""
