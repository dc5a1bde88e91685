"""The pages: templates, one script, one stylesheet, and the arithmetic behind the pictures. Knows no web framework."""
