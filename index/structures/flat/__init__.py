"""An index that compares every vector."""
