"""A pair of encoders: one encodes the documents, the other the queries."""
