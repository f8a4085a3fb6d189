"""Encoders that encode no text, because their vectors come with the documents and queries."""
