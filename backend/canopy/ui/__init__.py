"""The pages: view models, templates, scripts, stylesheets and charts. Independent of the web framework."""
