"""The database of a collection: what is true."""
