"""Keeps reviews."""
