"""Keeps generations and what people say of them. `opening.open_store` opens it."""
