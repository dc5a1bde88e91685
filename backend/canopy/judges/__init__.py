"""Models that label recorded responses: from a definition in the values to a label in the store."""
