"""Records and SQL of prompts from the registry."""
