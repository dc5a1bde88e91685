"""Takes what people expect of the answer to a text that others found badly answered."""
