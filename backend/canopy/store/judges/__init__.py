"""Keeps judges' turns and labels."""
