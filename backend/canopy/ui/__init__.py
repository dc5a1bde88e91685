"""The pages: templates, scripts, stylesheets, and charts' geometry. Independent of the web framework."""
