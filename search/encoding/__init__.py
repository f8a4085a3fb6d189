"""The encoders of a collection's legs, and the queries that they have encoded."""
