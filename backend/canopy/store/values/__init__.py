"""Keeps where the values in force came from."""
