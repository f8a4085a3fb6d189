"""Encoders for vectors that come with the documents and queries. They encode no text."""
