"""Graph search, configured."""
