"""Scorers: how good an answer is. One file each, one line in the registry."""
