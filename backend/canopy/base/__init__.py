"""Foundations: errors, settings, ids, ratings, times. Imports no other package of Canopy."""
