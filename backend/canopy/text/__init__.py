"""Texts on their way in and out: YAML, JSON lines, addresses, differences, thoughts, what a terminal may hold."""
