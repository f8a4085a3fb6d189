"""Two encoders for one leg: one encodes the documents, the other the queries."""
