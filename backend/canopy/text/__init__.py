"""Text formats: YAML, JSON lines, URLs, diffs, reasoning marks, control characters."""
