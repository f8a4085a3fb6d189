"""The SQLite database of a collection, which stores documents and the list of valid segments."""
