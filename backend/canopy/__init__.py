"""Canopy: a summarization backend that learns from its users. Read `canopy.pipeline` first."""

__version__ = "0.1.0"
