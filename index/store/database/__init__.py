"""The SQLite database of a collection, which defines its state."""
