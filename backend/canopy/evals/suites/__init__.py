"""Reads, edits, merges and reviews suite files."""
