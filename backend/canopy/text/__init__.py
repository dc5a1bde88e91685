"""Text formats: YAML, JSON lines, URLs, diffs, models' thoughts, control characters."""
