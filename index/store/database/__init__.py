"""The SQLite database of a collection. It has the documents and names the valid segments."""
