"""Edit and generate: sizes, recipes, metadata, templates. What a model is asked, and what is kept of its answer."""
