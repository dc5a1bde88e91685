"""Suite files: reading, editing, merging and reviewing them."""
