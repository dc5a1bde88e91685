"""Keeps generations."""
