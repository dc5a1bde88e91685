"""Canopy: a summarization backend that learns from its users. Read `canopy.generation.pipeline` first."""

__version__ = "0.2.0"
