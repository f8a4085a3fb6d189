"""The flat index: compares a query with every vector."""
