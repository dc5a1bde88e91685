"""The pages: templates, scripts, stylesheets, and the arithmetic behind the pictures. Knows no web framework."""
