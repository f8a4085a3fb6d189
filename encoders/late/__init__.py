"""A vector for each token of a text (late interaction)."""
