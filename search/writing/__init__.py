"""Documents on their way into a collection."""
