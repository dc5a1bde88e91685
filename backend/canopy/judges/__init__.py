"""Judges: models that read recorded generations and label them from a closed list."""
