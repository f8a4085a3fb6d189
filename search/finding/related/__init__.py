"""Queries made of what a collection has: of liked documents, and of similar words."""
