"""Late interaction: one vector for each token of a text."""
