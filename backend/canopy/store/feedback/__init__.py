"""Keeps feedback: votes and judges' labels."""
