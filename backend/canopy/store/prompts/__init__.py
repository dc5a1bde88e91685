"""Keeps prompts from the registry."""
