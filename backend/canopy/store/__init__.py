"""Where generations and what people say of them are kept. `opening.open_store` is the way in."""
