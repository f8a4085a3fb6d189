"""The encoders of a collection's legs, and the cache of encoded queries."""
