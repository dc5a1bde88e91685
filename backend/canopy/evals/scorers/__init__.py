"""Scorers, which rate an answer: one class each, registered in `catalog.SCORERS`."""
