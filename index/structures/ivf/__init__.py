"""The ivf index: inverted lists around centres."""
